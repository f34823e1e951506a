"""Handing a workspace over."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.common.actors import Actor
from apps.common.errors import InvalidInput
from apps.common.ids import parse_id
from apps.common.revisions import update_revision
from apps.common.tenancy import enter_public
from apps.events.services import emit_event
from apps.workspaces.errors import OwnerNotPresent
from apps.workspaces.models import Membership, Workspace
from apps.workspaces.models.membership import built_in_role_id
from apps.workspaces.services.lifecycle import record_life
from apps.workspaces.services.rules import lock_workspace


def transfer_workspace(*, workspace_id: UUID, member: str, confirm: str, actor: Actor, now: datetime) -> Workspace:
    """Make the person behind the membership ``member`` (its id) the owner; the present one becomes an admin.

    ``confirm`` is the workspace's slug, typed by whoever does this. Raises InvalidInput (another slug, no such
    member), OwnerNotPresent (suspended, gone, or a service account).
    """
    with enter_public(), transaction.atomic():
        workspace = lock_workspace(workspace_id)
        if confirm != workspace.slug:
            raise InvalidInput.at("/confirm", "confirmation_mismatch", "Type the workspace's slug to confirm.")
        heir = _require_heir(workspace, member)
        if heir.user_id == workspace.owner_id:
            return workspace
        previous = Membership.objects.present().filter(workspace=workspace, user_id=workspace.owner_id).first()
        update_revision(heir, None, now=now, role_id=built_in_role_id("owner"))
        if previous is not None:
            update_revision(previous, None, now=now, role_id=built_in_role_id("admin"))
        change = [str(workspace.owner_id), str(heir.user_id)]
        update_revision(workspace, None, now=now, owner_id=heir.user_id)
        record_life(workspace, "transfer", actor=actor, now=now, changes={"owner": change})
        emit_event(
            type="workspace.transferred",
            workspace_id=workspace.pk,
            data={"from": change[0], "to": change[1]},
            now=now,
        )
    return workspace


def _require_heir(workspace: Workspace, member: str) -> Membership:
    identifier = parse_id(member)
    heir = Membership.objects.filter(workspace=workspace, pk=identifier).first() if identifier else None
    if heir is None:
        raise InvalidInput.at("/member", "unknown_member", "There is no such member here.")
    if not Membership.objects.active().people().filter(pk=heir.pk).exists():
        raise OwnerNotPresent
    return heir
