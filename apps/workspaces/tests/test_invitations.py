"""Invitations: from the offer to the membership, by the services."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.utils import timezone

from apps.common.actors import Actor, ActorKind
from apps.common.errors import InvalidInput, NotFound
from apps.common.permissions import Grant, resolver
from apps.workspaces.errors import (
    AlreadyMember,
    GrantsMoreThanHeld,
    InvitationExpired,
    InvitationForAnotherAddress,
    InvitationSpent,
    InvitationUnknown,
)
from apps.workspaces.models import Invitation, Membership, Role
from apps.workspaces.services import invitation_mail
from apps.workspaces.services.invitations import (
    WorkspaceNotOpen,
    accept_invitation,
    expire_invitations,
    invite_member,
    revoke_invitation,
)

pytestmark = pytest.mark.django_db


def person(user: Any) -> Actor:
    return Actor(kind=ActorKind.USER, id=user.pk, name=user.name, user_id=user.pk)


def grant_of(user: Any, workspace: Any) -> Grant:
    grant = resolver().grant_for(person(user), workspace.slug)
    assert grant is not None
    return grant


def invite(workspace: Any, *, email: str = "ann@example.com", role: str = "developer", by: Any = None) -> Invitation:
    by = by or workspace.owner
    return invite_member(
        workspace_id=workspace.pk,
        email=email,
        role=role,
        actor=person(by),
        grant=grant_of(by, workspace),
        now=timezone.now(),
    )


def token_from_mail(invitation: Invitation) -> str:
    """What the invited person finds in the mail."""
    assert invitation_mail.send_invitation(invitation_id=invitation.pk, now=timezone.now())
    found = re.search(r"/invitations/accept\?token=(\S+)", mail.outbox[-1].body)
    assert found is not None
    return found[1]


def accept(token: str, user: Any) -> Membership:
    return accept_invitation(token=token, actor=person(user), email=user.email, now=timezone.now())


def test_mail_brings_a_link_that_makes_a_member(workspace: Any, make_user: Any) -> None:
    ann = make_user(email="ann@example.com")
    invitation = invite(workspace, email=" Ann@Example.com ")
    token = token_from_mail(invitation)
    sent = mail.outbox[-1]
    assert sent.to == ["ann@example.com"]
    assert workspace.owner.name in sent.subject
    assert workspace.name in sent.subject
    html = sent.alternatives[0][0]
    assert token in html
    member = accept(token, ann)
    assert (member.user_id, member.role.code, member.status) == (ann.pk, "developer", "active")
    assert grant_of(ann, workspace).role == "developer"
    assert EmailAddress.objects.get(user=ann).verified
    invitation.refresh_from_db()
    assert (invitation.status, invitation.accepted_by_id) == ("accepted", ann.pk)


def test_token_is_kept_as_a_hash_and_forgotten_once_sent(workspace: Any) -> None:
    invitation = invite(workspace)
    token = token_from_mail(invitation)
    row = Invitation.objects.filter(pk=invitation.pk).values().get()
    assert row["sealed_token"] == ""
    assert not [value for value in row.values() if isinstance(value, str) and token in value]
    assert not invitation_mail.send_invitation(invitation_id=invitation.pk, now=timezone.now())
    assert len(mail.outbox) == 1


def test_mail_that_could_not_leave_is_tried_again_after_a_pause(workspace: Any, monkeypatch: Any) -> None:
    invitation = invite(workspace)
    now = timezone.now()

    def unreachable(*args: Any, **kwargs: Any) -> Any:
        raise ConnectionRefusedError("no mail server")

    with monkeypatch.context() as patched:
        patched.setattr("django.core.mail.EmailMultiAlternatives.send", unreachable)
        assert not invitation_mail.send_invitation(invitation_id=invitation.pk, now=now)
    assert not invitation_mail.send_invitation(invitation_id=invitation.pk, now=now + timedelta(seconds=59))
    assert invitation_mail.send_waiting_invitations(now=now + timedelta(seconds=59)) == 0
    assert invitation_mail.send_waiting_invitations(now=now + timedelta(seconds=61)) == 1
    assert invitation_mail.send_invitation(invitation_id=invitation.pk, now=now + timedelta(seconds=61))
    assert len(mail.outbox) == 1


def test_fault_13_token_works_once(workspace: Any, make_user: Any) -> None:
    ann = make_user(email="ann@example.com")
    token = token_from_mail(invite(workspace))
    accept(token, ann)
    with pytest.raises(InvitationSpent):
        accept(token, ann)
    assert Membership.objects.filter(workspace=workspace, user=ann).count() == 1


@pytest.mark.parametrize("swept", [False, True])
def test_fault_13_expired_token_is_refused(workspace: Any, make_user: Any, settings: Any, swept: bool) -> None:
    ann = make_user(email="ann@example.com")
    invitation = invite(workspace)
    token = token_from_mail(invitation)
    late = invitation.expires_at
    if swept:
        assert expire_invitations(now=late - timedelta(seconds=1)) == 0
        assert expire_invitations(now=late) == 1
        invitation.refresh_from_db()
        assert invitation.status == "expired"
    with pytest.raises(InvitationExpired):
        accept_invitation(token=token, actor=person(ann), email=ann.email, now=late)
    assert invitation.expires_at - invitation.created_at <= settings.INVITATION_LIFETIME


def test_fault_13_another_address_is_refused_and_may_not_learn_which(workspace: Any, make_user: Any) -> None:
    token = token_from_mail(invite(workspace, email="ann@example.com"))
    with pytest.raises(InvitationForAnotherAddress) as refused:
        accept(token, make_user(email="bob@example.com"))
    assert "ann" not in refused.value.detail


def test_fault_13_revoked_and_invented_tokens_are_refused(workspace: Any, make_user: Any) -> None:
    ann = make_user(email="ann@example.com")
    invitation = invite(workspace)
    token = token_from_mail(invitation)
    revoke_invitation(
        workspace_id=workspace.pk, invitation_id=invitation.pk, actor=person(workspace.owner), now=timezone.now()
    )
    with pytest.raises(InvitationSpent):
        accept(token, ann)
    for invented in ("", "x", token + "x", "\x00", "\ud800"):
        with pytest.raises(InvitationUnknown):
            accept(invented, ann)


def test_inviting_again_kills_the_earlier_link(workspace: Any, make_user: Any) -> None:
    ann = make_user(email="ann@example.com")
    first = token_from_mail(invite(workspace))
    second = token_from_mail(invite(workspace, role="viewer"))
    with pytest.raises(InvitationSpent):
        accept(first, ann)
    assert accept(second, ann).role.code == "viewer"


def test_member_is_not_invited_again(workspace: Any) -> None:
    with pytest.raises(AlreadyMember):
        invite(workspace, email=workspace.owner.email)


def test_nobody_joins_a_suspended_workspace(workspace: Any, make_user: Any) -> None:
    token = token_from_mail(invite(workspace))
    type(workspace).objects.filter(pk=workspace.pk).update(status="suspended")
    with pytest.raises(WorkspaceNotOpen):
        accept(token, make_user(email="ann@example.com"))


def test_fault_11_nobody_invites_with_more_than_they_hold(workspace: Any, make_user: Any) -> None:
    admin = make_user()
    role = Role.objects.get(workspace=None, code="admin")
    Membership.objects.create(workspace=workspace, user=admin, role=role, joined_at=timezone.now())
    with pytest.raises(GrantsMoreThanHeld) as refused:
        invite(workspace, role="owner", by=admin)
    assert "workspace.transfer" in refused.value.extra["missing"]
    assert invite(workspace, role="admin", by=admin).role == role


def test_role_of_another_workspace_does_not_exist_here(workspace: Any, make_workspace: Any, user: Any) -> None:
    foreign = Role.objects.create(workspace=make_workspace(owner=user), code="foreign", name="Foreign", codes=[])
    for ref in ("foreign", str(foreign.pk), "nothing"):
        with pytest.raises(InvalidInput):
            invite(workspace, role=ref)


def test_invitation_of_another_workspace_cannot_be_revoked(workspace: Any, make_workspace: Any, user: Any) -> None:
    invitation = invite(workspace)
    with pytest.raises(NotFound):
        revoke_invitation(
            workspace_id=make_workspace(owner=user).pk,
            invitation_id=invitation.pk,
            actor=person(user),
            now=timezone.now(),
        )
