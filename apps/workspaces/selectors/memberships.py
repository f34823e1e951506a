"""Who belongs to a workspace, and what their role lets them do."""

from __future__ import annotations

from uuid import UUID

from apps.common.permissions import registry
from apps.workspaces.models import Membership, Role


def active_membership(*, workspace_ref: str, user_id: UUID) -> Membership | None:
    """The person's membership in the workspace with this id or slug, with its workspace and role: one query.

    None for those who never belonged to it, are suspended or have left.
    """
    return (
        Membership.objects.active()
        .in_workspace(workspace_ref)
        .filter(user_id=user_id)
        .select_related("workspace", "role")
        .first()
    )


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


def role_codes_in(workspace_id: UUID) -> frozenset[str]:
    """The codes of the roles that members of the workspace can have, built in and custom."""
    return frozenset(Role.objects.usable_in(workspace_id).values_list("code", flat=True))


def count_members(workspace_id: UUID) -> int:
    """How many people belong to the workspace; service accounts aren't counted."""
    return Membership.objects.present().people().filter(workspace_id=workspace_id).count()
