"""Who may do what: the resolver behind every request."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from apps.access.models import Decision
from apps.access.services.decisions import delete_old_decisions
from apps.accounts.tests.factories import act_as
from apps.audit.models import AuditEvent
from apps.common.actors import SYSTEM, Actor, ActorKind
from apps.common.permissions import registry, resolver
from apps.common.tenancy import enter
from apps.workspaces.models import Membership, Role
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("ref", ["id", "slug"])
def test_owner_holds_every_code_in_one_query(
    workspace: Any, user: Any, ref: str, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        grant = resolver().grant_for(act_as(user), str(getattr(workspace, ref)))
        assert grant is not None
        assert grant.workspace == workspace
        assert grant.codes == {declared.code for declared in registry.all()}
        assert grant.role == "owner"


@pytest.mark.parametrize("role", ["admin", "developer", "operator", "viewer"])
def test_built_in_role_holds_what_is_declared_for_it(workspace: Any, make_user: Any, role: str) -> None:
    member = make_user()
    add_member(workspace, member, role)
    grant = resolver().grant_for(act_as(member), workspace.slug)
    assert grant is not None
    assert grant.codes == registry.codes_of(role)
    assert "workspace.transfer" not in grant.codes


def test_custom_role_holds_what_its_row_says(workspace: Any, make_user: Any) -> None:
    member = make_user()
    role = Role.objects.create(workspace=workspace, code="auditor", name="Auditor", codes=["audit.view"])
    add_member(workspace, member, role)
    grant = resolver().grant_for(act_as(member), workspace.slug)
    assert grant is not None
    assert grant.codes == {"audit.view"}


@pytest.mark.parametrize("status", ["suspended", "left"])
def test_fault_12_a_member_who_is_suspended_or_left_has_no_grant(workspace: Any, user: Any, status: str) -> None:
    assert resolver().grant_for(act_as(user), workspace.slug) is not None
    Membership.objects.filter(user=user).update(status=status)
    assert resolver().grant_for(act_as(user), workspace.slug) is None


def test_deactivated_person_has_no_grant(workspace: Any, user: Any) -> None:
    type(user).objects.filter(pk=user.pk).update(is_active=False)
    assert resolver().grant_for(act_as(user), workspace.slug) is None


@pytest.mark.parametrize("ref", ["nowhere", "\x00", "0" * 32, "a" * 300, ""])
def test_strangers_and_impossible_names_have_no_grant(workspace: Any, user: Any, make_user: Any, ref: str) -> None:
    assert resolver().grant_for(act_as(user), ref) is None
    assert resolver().grant_for(act_as(make_user()), workspace.slug) is None
    assert resolver().grant_for(SYSTEM, workspace.slug) is None
    assert resolver().grant_for(Actor(kind=ActorKind.VISITOR), workspace.slug) is None


def test_service_account_has_the_grant_of_its_own_membership_only(workspace: Any, make_workspace: Any) -> None:
    role = Role.objects.get(workspace=None, code="developer")
    robot = Membership.objects.create(
        workspace=workspace, service_account_name="deploy", role=role, joined_at=timezone.now()
    )
    actor = Actor(kind=ActorKind.SERVICE_ACCOUNT, id=robot.pk, name="deploy", scopes=frozenset({"workspace.view"}))
    grant = resolver().grant_for(actor, workspace.slug)
    assert grant is not None
    assert grant.codes == {"workspace.view"}
    assert grant.source == "scope"
    other = make_workspace(owner=workspace.owner)
    assert resolver().grant_for(actor, other.slug) is None


def test_refusal_is_kept_and_audited_in_the_workspace(workspace: Any, user: Any) -> None:
    grant = resolver().grant_for(act_as(user), workspace.slug)
    identifier = resolver().record_refusal(
        actor=act_as(user, request_id="r-1"),
        code="apps.publish",
        action="POST publish",
        target="/api/v1/…",
        grant=grant,
        reason="No.",
        status=403,
    )
    decision = Decision.objects.get(pk=identifier)
    assert decision.workspace_id == workspace.pk
    assert decision.caller == {"kind": "user", "id": str(user.pk), "name": user.name}
    assert decision.decided_by == {"reason": "No.", "kind": "role", "role": "owner"}
    assert decision.request_id == "r-1"
    with enter(workspace):
        event = AuditEvent.objects.get(action="access.refused")
        assert event.target_id == identifier
        assert event.changes["permission"] == "apps.publish"
        assert event.actor_id == user.pk
    assert not AuditEvent.objects.filter(action="access.refused").exists()


def test_refusals_are_forgotten_after_their_time(settings: Any, user: Any) -> None:
    identifier = resolver().record_refusal(
        actor=act_as(user, request_id="r-1"), code="", action="x", target="", grant=None, reason="", status=429
    )
    kept = Decision.objects.get(pk=identifier)
    assert delete_old_decisions(now=kept.at + settings.DECISION_RETENTION) == 0
    assert delete_old_decisions(now=kept.at + settings.DECISION_RETENTION * 1.01) == 1
