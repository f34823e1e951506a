"""Why something was refused, by the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from apps.access.models import Decision
from apps.access.services.decisions import Resolver
from apps.accounts.tests.factories import act_as
from apps.workspaces.models import Role
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def here(workspace: Any) -> str:
    return f"/api/v1/workspaces/{workspace.slug}"


def test_decision_explains_a_refusal(make_client: Any, make_user: Any, workspace: Any, here: str) -> None:
    ann = make_user(name="Ann")
    add_member(workspace, ann, "viewer")
    client = make_client(ann)
    refused = client.post(f"{here}/roles", {"name": "x", "permissions": []}, headers={"X-Request-Id": "my-request"})
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (403, "permission_denied")
    shown = client.get(f"{here}/decisions/{problem['decision_id']}").json()
    shown.pop("at")
    assert shown == {
        "id": problem["decision_id"],
        "caller": {"kind": "user", "id": str(ann.pk), "name": "Ann"},
        "action": "POST create",
        "target": f"{here}/roles",
        "code": "roles.manage",
        "status": 403,
        "decided_by": {
            "kind": "role",
            "role": "viewer",
            "reason": "This needs the permission roles.manage, which you don't have here.",
        },
        "request_id": "my-request",
    }


def test_refusal_by_a_rule_outlives_the_change_that_it_undid(
    make_client: Any, make_user: Any, workspace: Any, here: str
) -> None:
    ann = make_user()
    add_member(workspace, ann, "admin")
    body = {"email": "x@example.com", "role": "owner"}
    refused = make_client(ann).post(f"{here}/members", body, headers={"Idempotency-Key": "k-1"})
    assert refused.status_code == 403
    kept = Decision.objects.get(pk=refused.json()["decision_id"])
    assert kept.code == "grants_more_than_held"
    again = make_client(ann).post(f"{here}/members", body, headers={"Idempotency-Key": "k-1"})
    assert again.json()["decision_id"] == str(kept.pk)


def test_only_the_refused_and_those_who_see_members_or_audit_read_it(
    make_client: Any, make_user: Any, workspace: Any, here: str
) -> None:
    blind = Role.objects.create(workspace=workspace, code="blind", name="Blind", codes=["workspace.view"])
    ann, bob = make_user(), make_user()
    add_member(workspace, ann, blind)
    add_member(workspace, bob, blind)
    decision = make_client(ann).get(f"{here}/members").json()["decision_id"]
    assert make_client(ann).get(f"{here}/decisions/{decision}").status_code == 200
    assert make_client(bob).get(f"{here}/decisions/{decision}").status_code == 404
    assert make_client(workspace.owner).get(f"{here}/decisions/{decision}").status_code == 200


@pytest.mark.parametrize("identifier", ["01234567-89ab-7def-8123-456789abcdef", "nothing"])
def test_unknown_decision_is_not_found(api: Any, here: str, identifier: str) -> None:
    assert api.get(f"{here}/decisions/{identifier}").status_code == 404


def test_strangers_leave_no_decision_in_the_workspace(make_client: Any, make_user: Any, here: str) -> None:
    assert make_client(make_user()).get(f"{here}/members").status_code == 404
    assert not Decision.objects.exists()


def test_a_flood_has_one_decision_a_minute(user: Any, make_user: Any) -> None:
    def refuse(who: Any) -> str:
        with transaction.atomic():
            return Resolver().record_refusal(
                actor=act_as(who), code="rate_limited", action="GET", target="/", grant=None, reason="", status=429
            )

    assert len({refuse(user) for _ in range(5)} | {refuse(make_user())}) == 2
    assert Decision.objects.count() == 2
    assert Decision.objects.first().decided_by["kind"] == "rate"  # type: ignore[union-attr]
