"""Numbers for the operators' start page."""

from apps.accounts.models import User


def count_people() -> int:
    """How many people can sign in."""
    return User.objects.filter(is_active=True).count()
