from apps.accounts.selectors.overview import count_people
from apps.accounts.selectors.people import (
    MfaStatus,
    UserProfile,
    find_user,
    fold_email,
    is_email_verified,
    live_sessions,
    mfa_status,
    user_profile,
)

__all__ = [
    "MfaStatus",
    "UserProfile",
    "count_people",
    "find_user",
    "fold_email",
    "is_email_verified",
    "live_sessions",
    "mfa_status",
    "user_profile",
]
