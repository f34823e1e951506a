"""What access does when something happens in a workspace."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from apps.access.services.keys import revoke_keys_of_member
from apps.workspaces.signals import member_left


@receiver(member_left, dispatch_uid="access.revoke_keys")
def revoke_keys_with_the_membership(sender: Any, *, membership: Any, **kwargs: Any) -> None:
    """A member's key dies with their right."""
    revoke_keys_of_member(membership_id=membership.pk)
