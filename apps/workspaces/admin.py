"""Workspaces, their people and their schemas in the consoles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from apps.common.admin import (
    Act,
    ActContext,
    PlatformAdmin,
    ReasonForm,
    WorkspaceAdmin,
    platform_site,
    workspace_site,
)
from apps.common.admin.sites import workspace_grant
from apps.workspaces.models import DueWork, Invitation, Membership, Role, SchemaSlot, SlugHold, Workspace
from apps.workspaces.services.due_work import hasten_work
from apps.workspaces.services.invitations import revoke_invitation
from apps.workspaces.services.lifecycle import (
    activate_workspace,
    close_workspace,
    restore_workspace,
    suspend_workspace,
)
from apps.workspaces.services.members import change_member, remove_member
from apps.workspaces.states import InvitationStatus, MembershipStatus, WorkspaceStatus


def _suspend(context: ActContext, *, reason: str) -> str:
    suspend_workspace(workspace_id=context.row.pk, reason=reason, actor=context.actor, now=context.now)
    return f"{context.row} is suspended: its members can read, its apps don't answer."


def _activate(context: ActContext) -> str:
    activate_workspace(workspace_id=context.row.pk, actor=context.actor, now=context.now)
    return f"{context.row} is active again."


def _hasten(context: ActContext) -> str:
    hasten_work(due_work_id=context.row.pk, now=context.now)
    return f"{context.row} is due now."


def _close(context: ActContext) -> str:
    closed = close_workspace(workspace_id=context.row.pk, actor=context.actor, now=context.now)
    return f"{context.row} is closing; its data are kept until {closed.purge_after:%d %B %Y}."


def _restore(context: ActContext) -> str:
    restore_workspace(workspace_id=context.row.pk, actor=context.actor, now=context.now)
    return f"{context.row} is what it was before it was closed."


def _revoke_invitation(context: ActContext) -> str:
    invitation = context.row
    revoke_invitation(
        workspace_id=invitation.workspace_id, invitation_id=invitation.pk, actor=context.actor, now=context.now
    )
    return f"The invitation of {invitation.email} is revoked."


def _suspend_member(context: ActContext) -> str:
    _change_member(context, MembershipStatus.SUSPENDED)
    return f"{context.row} is suspended."


def _reactivate_member(context: ActContext) -> str:
    _change_member(context, MembershipStatus.ACTIVE)
    return f"{context.row} is active again."


def _change_member(context: ActContext, status: MembershipStatus) -> None:
    change_member(
        workspace_id=context.row.workspace_id,
        membership_id=context.row.pk,
        status=status,
        actor=context.actor,
        grant=context.member_grant,
        now=context.now,
    )


def _remove_member(context: ActContext) -> str:
    remove_member(
        workspace_id=context.row.workspace_id,
        membership_id=context.row.pk,
        actor=context.actor,
        grant=context.member_grant,
        now=context.now,
    )
    return f"{context.row} is no longer a member."


_CLOSABLE = {WorkspaceStatus.ACTIVE, WorkspaceStatus.SUSPENDED}
_RESTORABLE = {WorkspaceStatus.CLOSING, WorkspaceStatus.CLOSED}

WORKSPACE_ACTS = (
    Act(
        name="suspend",
        label="Suspend",
        icon="pause_circle",
        explanation="Members can still read; nothing can be changed, and its apps don't answer visitors.",
        form=ReasonForm,
        run=_suspend,
        allowed=lambda row: row.status == WorkspaceStatus.ACTIVE,
        danger=True,
    ),
    Act(
        name="activate",
        label="Activate",
        icon="play_circle",
        explanation="Ends the suspension.",
        run=_activate,
        allowed=lambda row: row.status == WorkspaceStatus.SUSPENDED,
    ),
    Act(
        name="close",
        label="Close",
        icon="delete",
        explanation="Everything is kept for the grace period, and can be restored until it ends.",
        run=_close,
        allowed=lambda row: row.status in _CLOSABLE,
        danger=True,
    ),
    Act(
        name="restore",
        label="Restore",
        icon="restore",
        explanation="Undoes the closing.",
        run=_restore,
        allowed=lambda row: row.status in _RESTORABLE,
    ),
)
DUE_WORK_ACTS = (
    Act(
        name="hasten",
        label="Do it now",
        icon="fast_forward",
        explanation="It is due at once, and no later than the next sweep, within seconds. Nothing else of it changes.",
        run=_hasten,
        allowed=lambda row: row.claimed_until is None,
        bulk=True,
    ),
)
INVITATION_ACTS = (
    Act(
        name="revoke",
        label="Revoke",
        icon="block",
        explanation="The link in the e-mail stops working.",
        code="members.manage",
        run=_revoke_invitation,
        allowed=lambda row: row.status == InvitationStatus.PENDING,
        danger=True,
        bulk=True,
    ),
)
MEMBER_ACTS = (
    Act(
        name="suspend",
        label="Suspend",
        icon="pause_circle",
        explanation="They and their keys are shut out from their next request on.",
        code="members.manage",
        run=_suspend_member,
        allowed=lambda row: row.status == MembershipStatus.ACTIVE,
        danger=True,
    ),
    Act(
        name="reactivate",
        label="Reactivate",
        icon="play_circle",
        explanation="They are let in again.",
        code="members.manage",
        run=_reactivate_member,
        allowed=lambda row: row.status == MembershipStatus.SUSPENDED,
    ),
    Act(
        name="remove",
        label="Remove",
        icon="person_remove",
        explanation="They leave the workspace, and their keys die. What they made stays.",
        code="members.manage",
        run=_remove_member,
        allowed=lambda row: row.status != MembershipStatus.LEFT,
        danger=True,
        when_not_active=True,
    ),
)


@admin.register(Workspace, site=platform_site)
class WorkspaceTableAdmin(PlatformAdmin):
    """All workspaces."""

    list_display = ("name", "slug", "status", "plan_code", "owner", "created_at")
    list_filter = ("status", "plan_code")
    list_select_related = ("owner",)
    search_fields = ("name", "slug", "display_name", "owner__email", "=id", "schema_name")
    acts: ClassVar[Sequence[Act]] = WORKSPACE_ACTS


@admin.register(SchemaSlot, site=platform_site)
class SchemaSlotAdmin(PlatformAdmin):
    """The pool of schemas."""

    list_display = ("schema_name", "status", "fingerprint", "created_at")
    list_filter = ("status", "fingerprint")
    search_fields = ("schema_name",)


@admin.register(DueWork, site=platform_site)
class DueWorkAdmin(PlatformAdmin):
    """What waits in workspaces for its time; what keeps failing shows its error."""

    list_display = ("kind", "workspace", "target", "due_at", "claimed_until", "failures", "error")
    list_filter = ("kind",)
    list_select_related = ("workspace",)
    search_fields = ("kind", "target", "workspace__slug", "error")
    ordering = ("due_at", "id")
    acts: ClassVar[Sequence[Act]] = DUE_WORK_ACTS


@admin.register(SlugHold, site=platform_site)
class SlugHoldAdmin(PlatformAdmin):
    """Slugs that are kept from other owners for a while."""

    list_display = ("slug", "owner", "until")
    list_select_related = ("owner",)
    search_fields = ("slug", "owner__email")


class _Memberships:
    list_display: Sequence[str] = ("__str__", "workspace", "role", "status", "joined_at")
    list_filter = ("status",)
    list_select_related = ("workspace", "user", "role")
    search_fields = ("user__email", "user__name", "service_account_name", "workspace__slug")


class _Invitations:
    list_display: Sequence[str] = ("email", "workspace", "role", "status", "expires_at")
    list_filter = ("status",)
    list_select_related = ("workspace", "role")
    search_fields = ("email", "workspace__slug")
    exclude = ("token_hash",)
    acts: ClassVar[Sequence[Act]] = INVITATION_ACTS


class _Roles:
    list_display: Sequence[str] = ("name", "code", "workspace")
    list_select_related = ("workspace",)
    search_fields = ("name", "code", "workspace__slug")


@admin.register(Membership, site=platform_site)
class PlatformMembershipAdmin(_Memberships, PlatformAdmin):
    """Who belongs where."""


@admin.register(Membership, site=workspace_site)
class WorkspaceMembershipAdmin(_Memberships, WorkspaceAdmin):
    """The members of this workspace."""

    acts: ClassVar[Sequence[Act]] = MEMBER_ACTS
    list_display = ("__str__", "role", "status", "joined_at")
    view_code: ClassVar[str] = "members.view"
    workspace_lookup: ClassVar[str] = "workspace"


@admin.register(Invitation, site=platform_site)
class PlatformInvitationAdmin(_Invitations, PlatformAdmin):
    """All invitations."""


@admin.register(Invitation, site=workspace_site)
class WorkspaceInvitationAdmin(_Invitations, WorkspaceAdmin):
    """This workspace's invitations."""

    list_display = ("email", "role", "status", "expires_at")
    view_code: ClassVar[str] = "members.view"
    workspace_lookup: ClassVar[str] = "workspace"


@admin.register(Role, site=platform_site)
class PlatformRoleAdmin(_Roles, PlatformAdmin):
    """Built-in roles and those that workspaces made."""


@admin.register(Role, site=workspace_site)
class WorkspaceRoleAdmin(_Roles, WorkspaceAdmin):
    """The built-in roles, and those that this workspace made."""

    list_display = ("name", "code", "workspace")
    view_code: ClassVar[str] = "members.view"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        grant = workspace_grant(request)
        assert grant is not None, "this console belongs to a workspace"
        return super().get_queryset(request).filter(Q(workspace=None) | Q(workspace=grant.workspace.id))
