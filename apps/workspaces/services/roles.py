"""Roles of a workspace's own: named sets of permission codes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor
from apps.common.errors import InvalidInput, NotFound
from apps.common.permissions import BUILT_IN_ROLES, Grant, registry
from apps.common.revisions import Expected, require_revision, update_revision
from apps.common.slugs import check_slug, make_slug
from apps.events.services import emit_event
from apps.workspaces.errors import BuiltInRole, RoleCodeTaken, RoleInUse
from apps.workspaces.models import Invitation, Membership, Role, Workspace
from apps.workspaces.services.rules import changes_of, lock_workspace, require_held

_CODE_LENGTH = 40


@transaction.atomic
def create_role(
    *,
    workspace_id: UUID,
    name: str,
    permissions: Collection[str],
    actor: Actor,
    grant: Grant,
    now: datetime,
    code: str | None = None,
) -> Role:
    """A role that holds ``permissions``; its ``code`` is made from the name unless given.

    Raises InvalidInput (an unknown permission, a code that can't be one), GrantsMoreThanHeld, RoleCodeTaken.
    """
    codes = registry.require_known(permissions, at="/permissions")
    require_held(codes, grant=grant, what="This role")
    workspace = lock_workspace(workspace_id)
    code = _code_from(name) if code is None else _checked(code)
    try:
        with transaction.atomic():
            role = Role.objects.create(workspace=workspace, code=code, name=name, codes=sorted(codes))
    except IntegrityError as error:
        raise RoleCodeTaken from error
    _record(workspace, role, actor=actor, action="role.create", changes=changes_of(_NOTHING, _shown(role)), now=now)
    return role


@transaction.atomic
def change_role(
    *,
    workspace_id: UUID,
    role: str,
    actor: Actor,
    grant: Grant,
    now: datetime,
    name: str | None = None,
    permissions: Collection[str] | None = None,
    expected: Expected = None,
) -> Role:
    """Change a role's name or what it holds; it counts for all who have it from the next request on.

    Raises NotFound, BuiltInRole, StaleRevision, InvalidInput, GrantsMoreThanHeld (before or after the change).
    """
    workspace = lock_workspace(workspace_id)
    found = _lock_role(workspace, role)
    require_revision(found, expected)
    before = _shown(found)
    changed: dict[str, Any] = {}
    if name is not None:
        changed["name"] = name
    if permissions is not None:
        codes = registry.require_known(permissions, at="/permissions")
        require_held(frozenset(found.codes) | codes, grant=grant, what="This role")
        changed["codes"] = sorted(codes)
    if changed:
        update_revision(found, expected, now=now, **changed)
    changes = changes_of(before, _shown(found))
    if changes:
        _record(workspace, found, actor=actor, action="role.update", changes=changes, now=now)
    return found


@transaction.atomic
def delete_role(
    *, workspace_id: UUID, role: str, actor: Actor, grant: Grant, now: datetime, expected: Expected = None
) -> None:
    """Delete a role that nobody has and no invitation offers.

    Raises NotFound, BuiltInRole, StaleRevision, GrantsMoreThanHeld, RoleInUse.
    """
    workspace = lock_workspace(workspace_id)
    found = _lock_role(workspace, role)
    require_revision(found, expected)
    require_held(frozenset(found.codes), grant=grant, what="This role")
    members = Membership.objects.present().filter(workspace=workspace, role=found).count()
    offered = Invitation.objects.pending().filter(workspace=workspace, role=found).count()
    if members or offered:
        raise RoleInUse(
            f"{members} members have this role and {offered} invitations offer it. Give them another one first.",
            members=members,
            invitations=offered,
        )
    update_revision(found, expected, now=now, retired_at=now)
    _record(workspace, found, actor=actor, action="role.delete", changes=changes_of(_shown(found), _NOTHING), now=now)


_NOTHING: dict[str, Any] = {"name": None, "permissions": None}


def _lock_role(workspace: Workspace, ref: str) -> Role:
    found = Role.objects.select_for_update().usable_in(workspace).named(ref).first()
    if found is None:
        raise NotFound
    if found.built_in:
        raise BuiltInRole
    return found


def _code_from(name: str) -> str:
    return make_slug(name, fallback="role", reserved=BUILT_IN_ROLES)[:_CODE_LENGTH].strip("-")


def _checked(code: str) -> str:
    if code in BUILT_IN_ROLES:
        raise RoleCodeTaken
    if len(code) > _CODE_LENGTH:
        raise InvalidInput.at("/code", "too_long", f"A role's code has at most {_CODE_LENGTH} characters.")
    return check_slug(code, pointer="/code", reserved=())


def _shown(role: Role) -> dict[str, Any]:
    return {"name": role.name, "permissions": sorted(role.codes)}


def _record(
    workspace: Workspace, role: Role, *, actor: Actor, action: str, changes: dict[str, Any], now: datetime
) -> None:
    record_act_in(
        workspace,
        actor=actor,
        action=action,
        target=Target(kind="role", id=str(role.pk), name=role.code),
        changes=changes,
        now=now,
    )
    emit_event(
        type="role.changed",
        workspace_id=workspace.pk,
        data={"role": str(role.pk), "code": role.code, "change": action.partition(".")[2]},
        now=now,
    )
