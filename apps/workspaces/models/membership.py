"""Who belongs to a workspace, and as what."""

from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import models

from apps.common.models import TimestampedModel
from apps.common.states import StatefulModel
from apps.workspaces.querysets import MembershipQuerySet, RoleQuerySet
from apps.workspaces.states import MEMBERSHIP_TRANSITIONS, MembershipStatus


def built_in_role_id(code: str) -> UUID:
    """The id of a built-in role: the same everywhere, so that nobody has to look it up."""
    return uuid5(NAMESPACE_URL, f"apprun:role:{code}")


class Role(TimestampedModel):
    """A named set of permission codes. Built-in roles belong to no workspace; their codes are declared in code.

    A custom role that is deleted is retired: those who held it once still show what they were.
    """

    workspace = models.ForeignKey("workspaces.Workspace", null=True, on_delete=models.CASCADE, related_name="roles")
    code = models.CharField(max_length=40)
    name = models.CharField(max_length=100)
    codes = models.JSONField(default=list, blank=True, help_text="Permission codes of a custom role.")
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = RoleQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "code"],
                condition=models.Q(retired_at=None),
                name="one_role_per_workspace_and_code",
            ),
            models.UniqueConstraint(
                fields=["code"], condition=models.Q(workspace=None), name="one_built_in_role_per_code"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def built_in(self) -> bool:
        return self.workspace_id is None


class Membership(StatefulModel, TimestampedModel):
    """A person, or a service account (no person, a name of its own), in a workspace."""

    transitions = MEMBERSHIP_TRANSITIONS

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        "accounts.User", null=True, blank=True, on_delete=models.PROTECT, related_name="memberships"
    )
    service_account_name = models.CharField(max_length=100, blank=True)
    role = models.ForeignKey("workspaces.Role", on_delete=models.PROTECT, related_name="memberships")
    status = models.CharField(max_length=10, choices=MembershipStatus, default=MembershipStatus.ACTIVE)
    joined_at = models.DateTimeField()

    objects = MembershipQuerySet.as_manager()

    class Meta:
        ordering = ["joined_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "user"],
                condition=~models.Q(status=MembershipStatus.LEFT),
                name="one_present_membership_per_person",
            ),
            models.UniqueConstraint(
                fields=["workspace", "service_account_name"],
                condition=~models.Q(status=MembershipStatus.LEFT) & ~models.Q(service_account_name=""),
                name="one_present_service_account_per_name",
            ),
            models.CheckConstraint(
                condition=models.Q(user__isnull=False, service_account_name="")
                | (models.Q(user__isnull=True) & ~models.Q(service_account_name="")),
                name="member_is_a_person_or_a_service_account",
            ),
        ]
        indexes = [models.Index(fields=["user", "status"], name="membership_by_user")]

    def __str__(self) -> str:
        return self.service_account_name or str(self.user)
