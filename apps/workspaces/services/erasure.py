"""What becomes of a person's place in workspaces when their account is erased."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor, ActorKind
from apps.common.metering import note_level
from apps.workspaces.models import Invitation, Membership, Workspace
from apps.workspaces.services.lifecycle import close_workspace
from apps.workspaces.services.rules import OWNER, is_owner, lock_workspace, require_another_owner
from apps.workspaces.signals import member_left
from apps.workspaces.states import InvitationStatus, MembershipStatus, WorkspaceStatus

_OPEN = (WorkspaceStatus.ACTIVE, WorkspaceStatus.SUSPENDED)


def obstacles_to_erasure(user: Any) -> Iterator[str]:
    """A sentence for each workspace that other people need this person for, as its last owner."""
    for membership in _memberships(user.pk):
        workspace = lock_workspace(membership.workspace_id)
        if workspace.status in _OPEN and _is_last_owner(membership) and _others(membership):
            name = workspace.display_name or workspace.name
            yield f"You are the last owner of {name}. Make somebody else an owner there, or close it."


@transaction.atomic
def leave_all_workspaces(*, user: Any, now: datetime) -> None:
    """End a person's memberships, and the invitations to their address; close what was theirs alone.

    Raises LastOwner where other people would be left without one: ``obstacles_to_erasure`` tells beforehand.
    """
    actor = Actor(kind=ActorKind.USER, id=user.pk, user_id=user.pk)
    left: set[UUID] = set()
    for membership in _memberships(user.pk):
        workspace = lock_workspace(membership.workspace_id)
        if _is_last_owner(membership) and not _others(membership):
            if workspace.status in _OPEN:
                close_workspace(workspace_id=workspace.pk, actor=actor, now=now)
        else:
            _leave(workspace, membership, actor=actor, now=now)
            left.add(workspace.pk)
    invited = Invitation.objects.pending().select_for_update().filter(email=user.email)
    for invitation in invited:
        invitation.move_to(InvitationStatus.REVOKED)
        left.add(invitation.workspace_id)
    # Last, and in one order: quotas are what everybody locks last.
    for workspace_id in sorted(left):
        note_level(workspace_id=workspace_id, dimension="members", now=now)


def memberships_of_person(user: Any) -> list[dict[str, Any]]:
    """The part of a person's data that workspaces keep."""
    found = Membership.objects.filter(user=user).select_related("workspace", "role").order_by("joined_at", "id")
    return [
        {
            "workspace": membership.workspace.slug,
            "role": membership.role.code,
            "status": str(membership.status),
            "joined_at": membership.joined_at.isoformat(),
        }
        for membership in found
    ]


def _memberships(user_id: UUID) -> list[Membership]:
    """In the order in which their workspaces are locked, so that two erasures never wait for each other."""
    return list(Membership.objects.present().filter(user_id=user_id).select_related("role").order_by("workspace_id"))


def _is_last_owner(membership: Membership) -> bool:
    if not is_owner(membership.role) or membership.status != MembershipStatus.ACTIVE:
        return False
    owners = Membership.objects.active().people().filter(role__workspace=None, role__code=OWNER)
    return not owners.filter(workspace_id=membership.workspace_id).exclude(pk=membership.pk).exists()


def _others(membership: Membership) -> bool:
    """Whether other people belong to the workspace."""
    people = Membership.objects.present().people().filter(workspace_id=membership.workspace_id)
    return people.exclude(pk=membership.pk).exists()


def _leave(workspace: Workspace, membership: Membership, *, actor: Actor, now: datetime) -> None:
    if is_owner(membership.role) and membership.status == MembershipStatus.ACTIVE:
        require_another_owner(workspace, than=membership, now=now)
    before = str(membership.status)
    membership.move_to(MembershipStatus.LEFT)
    member_left.send(sender=Membership, membership=membership, now=now)
    record_act_in(
        workspace,
        actor=actor,
        action="member.leave",
        target=Target(kind="member", id=str(membership.pk)),
        changes={"status": [before, str(membership.status)]},
        now=now,
    )
