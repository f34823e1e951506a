"""The filters on workspaces, slots, memberships, roles and invitations."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Q

from apps.common.ids import parse_id
from apps.workspaces.states import InvitationStatus, MembershipStatus, SlotStatus, WorkspaceStatus

if TYPE_CHECKING:
    from apps.workspaces.models import DueWork, Invitation, Membership, Role, SchemaSlot, Workspace  # noqa: F401


class MembershipQuerySet(models.QuerySet["Membership"]):
    """Memberships, people's and service accounts'."""

    def active(self) -> Self:
        """Those that count: neither suspended nor left, and of people whose account is in use."""
        return self.filter(Q(user=None) | Q(user__is_active=True), status=MembershipStatus.ACTIVE)

    def present(self) -> Self:
        """Those that haven't left."""
        return self.exclude(status=MembershipStatus.LEFT)

    def people(self) -> Self:
        return self.filter(user__isnull=False)

    def service_accounts(self) -> Self:
        return self.filter(user=None)

    def in_workspace(self, ref: str) -> Self:
        """Those in the workspace with this id or slug; none in one that was purged."""
        identifier = parse_id(ref)
        if identifier is not None:
            found = self.filter(workspace_id=identifier)
        elif "\x00" in ref:
            return self.none()
        else:
            found = self.filter(workspace__slug=ref)
        return found.exclude(workspace__status=WorkspaceStatus.PURGED)


class RoleQuerySet(models.QuerySet["Role"]):
    """Roles, built in and custom."""

    def usable_in(self, workspace: Any) -> Self:
        """The built-in roles and the workspace's own."""
        return self.filter(Q(workspace=None) | Q(workspace=workspace), retired_at=None)

    def named(self, ref: str) -> Self:
        """The role with this id or code."""
        identifier = parse_id(ref)
        return self.filter(code=ref) if identifier is None else self.filter(pk=identifier)


class InvitationQuerySet(models.QuerySet["Invitation"]):
    """Invitations by e-mail."""

    def overdue(self, now: datetime) -> Self:
        """Pending ones whose time is over."""
        return self.filter(status=InvitationStatus.PENDING, expires_at__lte=now)

    def pending(self) -> Self:
        return self.filter(status=InvitationStatus.PENDING)


class SchemaSlotQuerySet(models.QuerySet["SchemaSlot"]):
    """Slots by what can be done with them."""

    def ready(self, fingerprint: str) -> Self:
        """Fit for a workspace of the release with this fingerprint, oldest first."""
        return self.filter(status=SlotStatus.READY, fingerprint=fingerprint).order_by("created_at")

    def with_ready_count(self) -> Self:
        """Each with ``ready_count``, how many stand ready: counted in the same query."""
        counted = self.model._default_manager.filter(status=SlotStatus.READY).order_by().values("status")
        return self.annotate(ready_count=models.Subquery(counted.annotate(count=models.Count("pk")).values("count")))

    def making(self) -> Self:
        return self.filter(status=SlotStatus.MAKING)

    def broken(self) -> Self:
        return self.filter(status=SlotStatus.BROKEN)


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    """Workspaces by what has to happen to them."""

    def closing(self) -> Self:
        return self.filter(status=WorkspaceStatus.CLOSING)

    def to_purge(self, now: datetime) -> Self:
        """Closed, and their grace is over."""
        return self.filter(status=WorkspaceStatus.CLOSED, purge_after__lte=now)

    def with_schema(self) -> Self:
        """Those that have a schema: all but the unfinished and the purged."""
        return self.exclude(fingerprint="").exclude(status=WorkspaceStatus.PURGED)

    def without_due_work(self, kind: str) -> Self:
        """Those for which nothing of this kind is scheduled."""
        scheduled = self.model._default_manager.filter(pk=models.OuterRef("pk"), due_work__kind=kind)
        return self.exclude(models.Exists(scheduled))


class DueWorkQuerySet(models.QuerySet["DueWork"]):
    """What waits for its time in workspaces."""

    def claimable(self, now: datetime) -> Self:
        """Due, in nobody's hands, and of a workspace that has a schema and keeps it."""
        return self.filter(
            Q(claimed_until=None) | Q(claimed_until__lte=now), due_at__lte=now, workspace__purge_started_at=None
        ).exclude(workspace__fingerprint="")
