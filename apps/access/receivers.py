"""What access does when something happens in a workspace, or to an account."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from apps.access.services.keys import revoke_keys_of_member, revoke_keys_of_person
from apps.accounts.signals import unproved_account_reset
from apps.workspaces.signals import member_left


@receiver(member_left, dispatch_uid="access.revoke_keys")
def revoke_keys_with_the_membership(sender: Any, *, membership: Any, **kwargs: Any) -> None:
    """A member's key dies with their right."""
    revoke_keys_of_member(membership_id=membership.pk)


@receiver(unproved_account_reset, dispatch_uid="access.revoke_keys_of_person")
def revoke_keys_with_the_account(sender: Any, *, user: Any, actor: Any, now: Any, **kwargs: Any) -> None:
    """Who registered with somebody else's address keeps no key once its owner has taken the account."""
    revoke_keys_of_person(user_id=user.pk, actor=actor, now=now)
