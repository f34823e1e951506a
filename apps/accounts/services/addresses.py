"""The addresses of people, and the proof that they can read mail there."""

from __future__ import annotations

from uuid import UUID

from allauth.account.models import EmailAddress

from apps.accounts.models import User


def prove_address(*, user_id: UUID, email: str) -> None:
    """Remember that the person reads mail at ``email``, because they came with something that only was sent there.

    Does nothing unless it is the address of their account.
    """
    if not User.objects.filter(pk=user_id, email=email).exists():
        return
    EmailAddress.objects.update_or_create(user_id=user_id, email=email, defaults={"verified": True, "primary": True})
