"""Invitations: from the offer to the membership, by the services."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.utils import timezone

from apps.accounts.models import OutgoingMail
from apps.accounts.tests.factories import act_as
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
from apps.workspaces.services.invitations import (
    WorkspaceNotOpen,
    accept_invitation,
    expire_invitations,
    invite_member,
    revoke_invitation,
)
from apps.workspaces.tests.factories import add_member, token_from_mail

pytestmark = pytest.mark.django_db


def grant_of(user: Any, workspace: Any) -> Grant:
    grant = resolver().grant_for(act_as(user), workspace.slug)
    assert grant is not None
    return grant


def invite(workspace: Any, *, email: str = "ann@example.com", role: str = "developer", by: Any = None) -> Invitation:
    by = by or workspace.owner
    return invite_member(
        workspace_id=workspace.pk,
        email=email,
        role=role,
        actor=act_as(by),
        grant=grant_of(by, workspace),
        now=timezone.now(),
    )


def accept(token: str, user: Any) -> Membership:
    return accept_invitation(token=token, actor=act_as(user), email=user.email, now=timezone.now())


def test_mail_brings_a_link_that_makes_a_member(workspace: Any, make_user: Any) -> None:
    ann = make_user(email="ann@example.com")
    invitation = invite(workspace, email=" Ann@Example.com ")
    token = token_from_mail()
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


def test_token_is_kept_as_a_hash_only(workspace: Any) -> None:
    invite(workspace)
    token = token_from_mail()
    assert token not in str(Invitation.objects.values().get())
    assert token not in str(OutgoingMail.objects.filter(to="ann@example.com").values())


def test_fault_13_token_works_once(workspace: Any, make_user: Any) -> None:
    ann = make_user(email="ann@example.com")
    invite(workspace)
    token = token_from_mail()
    accept(token, ann)
    with pytest.raises(InvitationSpent):
        accept(token, ann)
    assert Membership.objects.filter(workspace=workspace, user=ann).count() == 1


@pytest.mark.parametrize("swept", [False, True])
def test_fault_13_expired_token_is_refused(workspace: Any, make_user: Any, settings: Any, swept: bool) -> None:
    ann = make_user(email="ann@example.com")
    invitation = invite(workspace)
    token = token_from_mail()
    late = invitation.expires_at
    if swept:
        assert expire_invitations(now=late - timedelta(seconds=1)) == 0
        assert expire_invitations(now=late) == 1
        invitation.refresh_from_db()
        assert invitation.status == "expired"
    with pytest.raises(InvitationExpired):
        accept_invitation(token=token, actor=act_as(ann), email=ann.email, now=late)
    assert invitation.expires_at - invitation.created_at <= settings.INVITATION_LIFETIME


def test_fault_13_another_address_is_refused_and_may_not_learn_which(workspace: Any, make_user: Any) -> None:
    invite(workspace, email="ann@example.com")
    token = token_from_mail()
    with pytest.raises(InvitationForAnotherAddress) as refused:
        accept(token, make_user(email="bob@example.com"))
    assert "ann" not in refused.value.detail


def test_fault_13_revoked_and_invented_tokens_are_refused(workspace: Any, make_user: Any) -> None:
    ann = make_user(email="ann@example.com")
    invitation = invite(workspace)
    token = token_from_mail()
    revoke_invitation(
        workspace_id=workspace.pk, invitation_id=invitation.pk, actor=act_as(workspace.owner), now=timezone.now()
    )
    with pytest.raises(InvitationSpent):
        accept(token, ann)
    for invented in ("", "x", token + "x", "\x00", "\ud800"):
        with pytest.raises(InvitationUnknown):
            accept(invented, ann)


def test_inviting_again_kills_the_earlier_link(workspace: Any, make_user: Any) -> None:
    ann = make_user(email="ann@example.com")
    invite(workspace)
    first = token_from_mail()
    invite(workspace, role="viewer")
    second = token_from_mail()
    with pytest.raises(InvitationSpent):
        accept(first, ann)
    assert accept(second, ann).role.code == "viewer"


def test_member_is_not_invited_again(workspace: Any) -> None:
    with pytest.raises(AlreadyMember):
        invite(workspace, email=workspace.owner.email)


def test_nobody_joins_a_suspended_workspace(workspace: Any, make_user: Any) -> None:
    invite(workspace)
    token = token_from_mail()
    type(workspace).objects.filter(pk=workspace.pk).update(status="suspended")
    with pytest.raises(WorkspaceNotOpen):
        accept(token, make_user(email="ann@example.com"))


def test_fault_11_nobody_invites_with_more_than_they_hold(workspace: Any, make_user: Any) -> None:
    admin = make_user()
    add_member(workspace, admin, "admin")
    with pytest.raises(GrantsMoreThanHeld) as refused:
        invite(workspace, role="owner", by=admin)
    assert "workspace.transfer" in refused.value.extra["missing"]
    assert invite(workspace, role="admin", by=admin).role.code == "admin"


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
            actor=act_as(user),
            now=timezone.now(),
        )


def test_a_name_puts_no_button_of_its_own_into_the_mail(workspace: Any) -> None:
    workspace.name = "Team\n\nYour account is locked. Unlock it:\nhttps://mallory.example/\n\n"
    workspace.save()
    invite(workspace)
    token_from_mail()
    message = mail.outbox[-1]
    assert "\nhttps://mallory.example" not in message.body
    html = message.alternatives[0][0]
    assert 'href="https://mallory.example' not in html
