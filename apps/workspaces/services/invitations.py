"""Invitations: a role offered by e-mail to whoever can read mail at an address."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.accounts.services.addresses import normalise_email, prove_address
from apps.accounts.services.notices import send_message
from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor
from apps.common.errors import Conflict, NotFound
from apps.common.metering import note_level, take_room
from apps.common.permissions import Grant
from apps.events.services import emit_event
from apps.workspaces.errors import (
    AlreadyMember,
    InvitationExpired,
    InvitationForAnotherAddress,
    InvitationSpent,
    InvitationUnknown,
)
from apps.workspaces.models import Invitation, Membership, Workspace
from apps.workspaces.services.rules import find_grantable_role, lock_workspace
from apps.workspaces.states import InvitationStatus, WorkspaceStatus

#: Where the invited person goes, with the token.
ACCEPT_PATH = "/invitations/accept"


class WorkspaceNotOpen(Conflict):
    """Nobody can join a workspace that is suspended or about to go."""

    code = "workspace_not_active"
    detail = "This workspace is not active now, so nobody can join it."


@transaction.atomic
def invite_member(
    *, workspace_id: UUID, email: str, role: str, actor: Actor, grant: Grant, now: datetime
) -> Invitation:
    """Offer ``role`` (id or code) to whoever can read mail at ``email``; the link is sent after the commit.

    An earlier invitation to the address that is still open is revoked: its link is dead. Raises InvalidInput,
    GrantsMoreThanHeld, AlreadyMember, QuotaExceeded.
    """
    email = normalise_email(email)
    workspace = lock_workspace(workspace_id)
    offered = find_grantable_role(workspace=workspace, ref=role, grant=grant)
    if Membership.objects.present().filter(workspace=workspace, user__email=email).exists():
        raise AlreadyMember
    _close_earlier(workspace, email, actor=actor, now=now)
    take_room(workspace_id=workspace.pk, dimension="members", now=now)
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        workspace=workspace,
        email=email,
        role=offered,
        token_hash=hash_token(token),
        invited_by_id=actor.user_id,
        expires_at=now + settings.INVITATION_LIFETIME,
    )
    send_message(
        kind="workspaces/email/invitation",
        to=email,
        context={
            "workspace": workspace.display_name or workspace.name,
            "inviter": actor.name,
            "role": offered.name,
            "link": f"{settings.BASE_URL}{ACCEPT_PATH}?token={token}",
            "expires_at": invitation.expires_at,
        },
        now=now,
    )
    _record(invitation, actor=actor, action="invitation.create", before=None, now=now)
    emit_event(
        type="invitation.created",
        workspace_id=workspace.pk,
        data={"invitation": str(invitation.pk), "email": email, "role": offered.code},
        now=now,
    )
    return invitation


@transaction.atomic
def accept_invitation(*, token: str, actor: Actor, email: str, now: datetime) -> Membership:
    """Make the person behind ``actor``, whose account has the address ``email``, a member.

    Whoever holds the token reads mail at the invited address, so that address is proved from now on. Raises
    InvitationUnknown, InvitationExpired, InvitationSpent, InvitationForAnotherAddress, AlreadyMember,
    WorkspaceNotOpen, QuotaExceeded.
    """
    offered_in = Invitation.objects.filter(token_hash=hash_token(token)).values_list("workspace_id", flat=True).first()
    if offered_in is None or actor.user_id is None:
        raise InvitationUnknown
    workspace = lock_workspace(offered_in)
    invitation = (
        Invitation.objects.select_for_update(of=("self",)).select_related("role").get(token_hash=hash_token(token))
    )
    if invitation.email != email.strip().lower():
        raise InvitationForAnotherAddress
    require_open(invitation, now=now)
    if workspace.status != WorkspaceStatus.ACTIVE:
        raise WorkspaceNotOpen
    if Membership.objects.present().filter(workspace=workspace, user_id=actor.user_id).exists():
        raise AlreadyMember
    # Its own place, unless the limit was lowered below what is taken meanwhile.
    invitation.move_to(InvitationStatus.ACCEPTED, accepted_by_id=actor.user_id)
    take_room(workspace_id=workspace.pk, dimension="members", now=now)
    member = Membership.objects.create(workspace=workspace, user_id=actor.user_id, role=invitation.role, joined_at=now)
    prove_address(user_id=actor.user_id, email=invitation.email, now=now)
    _record(invitation, actor=actor, action="invitation.accept", before=InvitationStatus.PENDING, now=now)
    emit_event(
        type="member.joined",
        workspace_id=workspace.pk,
        data={"member": str(member.pk), "user": str(actor.user_id), "role": invitation.role.code},
        now=now,
    )
    return member


@transaction.atomic
def revoke_invitation(*, workspace_id: UUID, invitation_id: UUID, actor: Actor, now: datetime) -> Invitation:
    """Withdraw an invitation that is still open: its link is dead. Raises NotFound, IllegalTransition."""
    invitation = (
        Invitation.objects.select_for_update(of=("self",))
        .select_related("role", "workspace")
        .filter(workspace_id=workspace_id, pk=invitation_id)
        .first()
    )
    if invitation is None:
        raise NotFound
    invitation.move_to(InvitationStatus.REVOKED)
    note_level(workspace_id=workspace_id, dimension="members", now=now)
    _record(invitation, actor=actor, action="invitation.revoke", before=InvitationStatus.PENDING, now=now)
    return invitation


def expire_invitations(*, now: datetime) -> int:
    """Close the invitations whose time is over; returns how many."""
    overdue = Invitation.objects.overdue(now)
    # One workspace at a time: whoever holds the locks of several could wait for somebody in a circle.
    workspaces = list(overdue.order_by().values_list("workspace_id", flat=True).distinct())
    return sum(_expire_in(workspace_id, now=now) for workspace_id in workspaces)


@transaction.atomic
def _expire_in(workspace_id: UUID, *, now: datetime) -> int:
    overdue = list(
        Invitation.objects.overdue(now).filter(workspace_id=workspace_id).select_for_update(skip_locked=True)
    )
    for invitation in overdue:
        invitation.move_to(InvitationStatus.EXPIRED)
    note_level(workspace_id=workspace_id, dimension="members", now=now)
    return len(overdue)


def read_invitation(*, token: str, now: datetime) -> Invitation:
    """The open invitation with this token, with its workspace, role and inviter.

    Raises InvitationUnknown, InvitationSpent, InvitationExpired, WorkspaceNotOpen.
    """
    found = (
        Invitation.objects.select_related("workspace", "role", "invited_by")
        .filter(token_hash=hash_token(token))
        .first()
    )
    if found is None:
        raise InvitationUnknown
    require_open(found, now=now)
    if found.workspace.status != WorkspaceStatus.ACTIVE:
        raise WorkspaceNotOpen
    return found


def require_open(invitation: Invitation, *, now: datetime) -> None:
    """Raise InvitationSpent or InvitationExpired unless the invitation can be accepted at ``now``."""
    if invitation.status in {InvitationStatus.ACCEPTED, InvitationStatus.REVOKED}:
        raise InvitationSpent(f"This invitation was {invitation.status} already. Ask for a new one.")
    if invitation.status == InvitationStatus.EXPIRED or invitation.expires_at <= now:
        raise InvitationExpired


def hash_token(token: str) -> str:
    """What is kept of a token. It has 256 random bits, so a fast hash protects it."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _close_earlier(workspace: Workspace, email: str, *, actor: Actor, now: datetime) -> None:
    earlier = (
        Invitation.objects.pending()
        .select_for_update(of=("self",))
        .select_related("role", "workspace")
        .filter(workspace=workspace, email=email)
        .first()
    )
    if earlier is None:
        return
    if earlier.expires_at <= now:
        earlier.move_to(InvitationStatus.EXPIRED)
        return
    earlier.move_to(InvitationStatus.REVOKED)
    _record(earlier, actor=actor, action="invitation.revoke", before=InvitationStatus.PENDING, now=now)


def _record(invitation: Invitation, *, actor: Actor, action: str, before: str | None, now: datetime) -> None:
    record_act_in(
        invitation.workspace,
        actor=actor,
        action=action,
        target=Target(kind="invitation", id=str(invitation.pk), name=invitation.email),
        changes={"status": [before, str(invitation.status)], "role": invitation.role.code},
        now=now,
    )
