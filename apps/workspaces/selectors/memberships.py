"""Who belongs to a workspace, and what their role lets them do."""

from __future__ import annotations

from uuid import UUID

from apps.common.compiled import CompiledSelect
from apps.common.ids import parse_id
from apps.common.permissions import registry
from apps.workspaces.models import Invitation, Membership, Role
from apps.workspaces.querysets import MembershipQuerySet
from apps.workspaces.states import WorkspaceStatus


def _memberships() -> MembershipQuerySet:
    return (
        Membership.objects.active()
        .exclude(workspace__status=WorkspaceStatus.PURGED)
        .select_related("workspace", "role")
        .order_by()
    )


_by_id: CompiledSelect[Membership] = CompiledSelect(
    lambda workspace_id, user_id: _memberships().filter(workspace_id=workspace_id, user_id=user_id),
    workspace_id=UUID,
    user_id=UUID,
)
_by_slug: CompiledSelect[Membership] = CompiledSelect(
    lambda slug, user_id: _memberships().filter(workspace__slug=slug, user_id=user_id), slug=str, user_id=UUID
)


def active_membership(*, workspace_ref: str, user_id: UUID) -> Membership | None:
    """The person's membership in the workspace with this id or slug, with its workspace and role: one query.

    None for those who never belonged to it, are suspended or have left.
    """
    identifier = parse_id(workspace_ref)
    if identifier is not None:
        return _by_id.first(workspace_id=identifier, user_id=user_id)
    if "\x00" in workspace_ref:
        return None
    return _by_slug.first(slug=workspace_ref, user_id=user_id)


def active_service_account(*, workspace_ref: str, membership_id: UUID) -> Membership | None:
    """The service account with this id in the workspace with this id or slug, as above."""
    return (
        Membership.objects.active()
        .in_workspace(workspace_ref)
        .service_accounts()
        .filter(pk=membership_id)
        .select_related("workspace", "role")
        .first()
    )


def codes_of_role(role: Role) -> frozenset[str]:
    """The permission codes that a role holds: declared in code when it is built in, its own when it is custom."""
    return registry.codes_of(role.code) if role.built_in else frozenset(role.codes)


def addresses_with_code(*, workspace_id: UUID, code: str) -> list[str]:
    """The e-mail addresses of the active people whose role in the workspace holds ``code``, in order."""
    members = Membership.objects.active().people().filter(workspace_id=workspace_id, user__is_active=True)
    found = members.select_related("user", "role")
    return sorted(member.user.email for member in found if member.user and code in codes_of_role(member.role))


def role_codes_in(workspace_id: UUID) -> frozenset[str]:
    """The codes of the roles that members of the workspace can have, built in and custom."""
    return frozenset(Role.objects.usable_in(workspace_id).values_list("code", flat=True))


def count_places(workspace_id: UUID) -> int:
    """How many people belong to the workspace, or are invited to: an open invitation holds a place. Service accounts
    aren't counted."""
    members = Membership.objects.present().people().filter(workspace_id=workspace_id).count()
    return members + Invitation.objects.pending().filter(workspace_id=workspace_id).count()
