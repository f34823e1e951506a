"""Workspaces as their members see them: through a membership."""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING, Any
from uuid import UUID

from apps.common.actors import Actor, ActorKind
from apps.workspaces.models import Membership
from apps.workspaces.selectors.memberships import codes_of_role
from apps.workspaces.states import WorkspaceStatus

if TYPE_CHECKING:
    from apps.workspaces.querysets import MembershipQuerySet


def visible_memberships(actor: Actor) -> MembershipQuerySet:
    """The caller's memberships that count, with their workspaces and roles. A program has the one it works for."""
    found = Membership.objects.active().exclude(workspace__status=WorkspaceStatus.PURGED)
    found = found.select_related("workspace", "role")
    working_for = getattr(actor, "membership", None)
    if working_for is not None:
        return found.filter(pk=working_for.pk)
    if actor.kind == ActorKind.SERVICE_ACCOUNT and actor.id is not None:
        return found.filter(pk=actor.id)
    return found.filter(user_id=actor.user_id) if actor.user_id else found.none()


def membership_with_workspace(membership_id: UUID) -> Membership:
    """The membership as it is now, with its workspace and role."""
    return Membership.objects.select_related("workspace", "role").get(pk=membership_id)


def owner_membership(workspace: Any) -> Membership:
    """The membership of the workspace's owner of record."""
    return Membership.objects.select_related("workspace", "role").get(
        workspace=workspace, user_id=workspace.owner_id, status="active"
    )


def default_membership_of(user: Any) -> Membership:
    """The membership in the first workspace that the person owns: the one that everybody gets."""
    return (
        Membership.objects.select_related("workspace", "role")
        .filter(user=user, workspace__owner=user)
        .order_by("workspace__created_at", "workspace_id")[0]
    )


def codes_for(membership: Membership, *, scopes: Set[str] | None) -> frozenset[str]:
    """What the membership's role lets its holder do, confined to ``scopes`` for a program."""
    codes = codes_of_role(membership.role)
    return codes if scopes is None else codes & scopes
