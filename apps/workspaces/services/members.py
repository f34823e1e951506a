"""Members: their role, their suspension, their leaving."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor, ActorKind
from apps.common.errors import NotFound
from apps.common.metering import note_level
from apps.common.permissions import Grant
from apps.common.revisions import Expected, require_revision, update_revision
from apps.events.services import emit_event
from apps.workspaces.models import Membership, Workspace
from apps.workspaces.selectors.memberships import codes_of_role
from apps.workspaces.services.rules import (
    changes_of,
    find_grantable_role,
    is_owner,
    lock_workspace,
    require_another_owner,
    require_held,
)
from apps.workspaces.signals import member_left
from apps.workspaces.states import MembershipStatus


@transaction.atomic
def change_member(
    *,
    workspace_id: UUID,
    membership_id: UUID,
    actor: Actor,
    grant: Grant,
    now: datetime,
    role: str | None = None,
    status: MembershipStatus | None = None,
    expected: Expected = None,
) -> Membership:
    """Give a member another ``role`` (id or code), suspend or reactivate them; what they may do changes at once.

    ``status`` is ``active`` or ``suspended``; what is None stays. Raises NotFound, StaleRevision, InvalidInput (no
    such role), GrantsMoreThanHeld (the role, or the member, holds more than the caller), LastOwner.
    """
    workspace = lock_workspace(workspace_id)
    member = _lock_member(workspace, membership_id)
    require_revision(member, expected)
    require_held(codes_of_role(member.role), grant=grant, what="This member")
    before = _shown(member)
    gives_up = is_owner(member.role) and member.status == MembershipStatus.ACTIVE
    if role is not None:
        given = find_grantable_role(workspace=workspace, ref=role, grant=grant)
        if given != member.role:
            if gives_up:
                require_another_owner(workspace, than=member, now=now)
            update_revision(member, None, now=now, role=given)
    if status is not None and status != member.status:
        if gives_up and status == MembershipStatus.SUSPENDED:
            require_another_owner(workspace, than=member, now=now)
        member.move_to(status)
    changes = changes_of(before, _shown(member))
    if changes:
        _record(workspace, member, actor=actor, action="member.update", changes=changes, now=now)
    return member


@transaction.atomic
def remove_member(
    *,
    workspace_id: UUID,
    membership_id: UUID,
    actor: Actor,
    grant: Grant,
    now: datetime,
    expected: Expected = None,
) -> None:
    """End a membership: anyone may leave, others are removed by those who manage members.

    Keys that act for the member end with it. Raises NotFound, StaleRevision, Denied, GrantsMoreThanHeld, LastOwner.
    """
    workspace = lock_workspace(workspace_id)
    member = _lock_member(workspace, membership_id)
    leaves = actor.kind == ActorKind.USER and member.user_id == actor.user_id
    if not leaves:
        grant.require("members.manage")
        require_held(codes_of_role(member.role), grant=grant, what="This member")
    require_revision(member, expected)
    if is_owner(member.role) and member.status == MembershipStatus.ACTIVE:
        require_another_owner(workspace, than=member, now=now)
    before = _shown(member)
    member.move_to(MembershipStatus.LEFT)
    note_level(workspace_id=workspace_id, dimension="members", now=now)
    member_left.send(sender=Membership, membership=member, now=now)
    _record(
        workspace,
        member,
        actor=actor,
        action="member.leave" if leaves else "member.remove",
        changes=changes_of(before, _shown(member)),
        now=now,
    )


def _lock_member(workspace: Workspace, membership_id: UUID) -> Membership:
    found = (
        Membership.objects.select_for_update(of=("self",))
        .select_related("role", "user")
        .present()
        .people()
        .filter(workspace=workspace, pk=membership_id)
        .first()
    )
    if found is None:
        raise NotFound
    return found


def _shown(member: Membership) -> dict[str, Any]:
    return {"role": member.role.code, "status": str(member.status)}


def _record(
    workspace: Workspace, member: Membership, *, actor: Actor, action: str, changes: dict[str, Any], now: datetime
) -> None:
    record_act_in(
        workspace,
        actor=actor,
        action=action,
        target=Target(kind="member", id=str(member.pk), name=str(member)),
        changes=changes,
        now=now,
    )
    emit_event(
        type="member.changed" if action == "member.update" else "member.left",
        workspace_id=workspace.pk,
        data={"member": str(member.pk), **_shown(member)},
        now=now,
    )
