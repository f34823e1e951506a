"""Invitations by e-mail."""

from __future__ import annotations

from django.db import models

from apps.common.models import TimestampedModel
from apps.common.states import StatefulModel
from apps.workspaces.querysets import InvitationQuerySet
from apps.workspaces.states import INVITATION_TRANSITIONS, InvitationStatus


class Invitation(StatefulModel, TimestampedModel):
    """An offer of a role to whoever can read mail at an address. The token is kept as a hash only."""

    transitions = INVITATION_TRANSITIONS

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.ForeignKey("workspaces.Role", on_delete=models.PROTECT, related_name="+")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    status = models.CharField(max_length=10, choices=InvitationStatus, default=InvitationStatus.PENDING)
    invited_by = models.ForeignKey("accounts.User", null=True, on_delete=models.PROTECT, related_name="+")
    expires_at = models.DateTimeField()
    accepted_by = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "email"],
                condition=models.Q(status=InvitationStatus.PENDING),
                name="one_pending_invitation_per_address",
            )
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                condition=models.Q(status=InvitationStatus.PENDING),
                name="invitation_expiry",
            ),
        ]

    def __str__(self) -> str:
        return self.email
