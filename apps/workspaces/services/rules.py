"""What every change of members, roles and invitations has in common."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.common.errors import InvalidInput
from apps.common.permissions import Grant
from apps.workspaces.errors import GrantsMoreThanHeld, LastOwner
from apps.workspaces.models import Membership, Role, Workspace
from apps.workspaces.selectors.memberships import codes_of_role

OWNER = "owner"


def lock_workspace(workspace_id: UUID) -> Workspace:
    """The workspace, locked until the transaction ends: who belongs to it as what changes one request at a time."""
    return Workspace.objects.select_for_update(no_key=True).get(pk=workspace_id)


def require_held(codes: frozenset[str], *, grant: Grant, what: str) -> None:
    """Raise GrantsMoreThanHeld unless the caller holds all ``codes``; ``what`` is whatever holds them."""
    missing = codes - grant.codes
    if missing:
        raise GrantsMoreThanHeld(missing, what=what)


def find_grantable_role(*, workspace: Workspace, ref: str, grant: Grant) -> Role:
    """The role with this id or code, which the caller may give.

    Raises InvalidInput when there is none, GrantsMoreThanHeld when it holds more than the caller.
    """
    role = Role.objects.usable_in(workspace).named(ref).first()
    if role is None:
        raise InvalidInput.at("/role", "unknown_role", "There is no such role here. See the list of roles.")
    require_held(codes_of_role(role), grant=grant, what=f"The role {role.code}")
    return role


def is_owner(role: Role) -> bool:
    """Whether this is the built-in role of owners."""
    return role.built_in and role.code == OWNER


def require_another_owner(workspace: Workspace, *, than: Membership, now: datetime) -> None:
    """Raise LastOwner when nobody but ``than`` owns the locked workspace.

    When ``than`` is the owner of record, the one who has been an owner for longest becomes it.
    """
    other = (
        Membership.objects.active()
        .people()
        .filter(workspace=workspace, role__workspace=None, role__code=OWNER)
        .exclude(pk=than.pk)
        .order_by("joined_at", "id")
        .first()
    )
    if other is None:
        raise LastOwner
    if workspace.owner_id == than.user_id:
        Workspace.objects.filter(pk=workspace.pk).update(owner_id=other.user_id, updated_at=now)


def changes_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """``{field: [before, after]}`` for what differs."""
    return {name: [before[name], after[name]] for name in before if before[name] != after[name]}
