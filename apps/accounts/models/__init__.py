from apps.accounts.models.mail import OutgoingMail
from apps.accounts.models.token import RefreshToken
from apps.accounts.models.user import LastSeen, User, UserManager

__all__ = ["LastSeen", "OutgoingMail", "RefreshToken", "User", "UserManager"]
