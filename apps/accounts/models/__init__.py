from apps.accounts.models.token import RefreshToken
from apps.accounts.models.user import LastSeen, User, UserManager

__all__ = ["LastSeen", "RefreshToken", "User", "UserManager"]
