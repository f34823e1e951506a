"""Operations over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.accounts.tests.factories import act_as
from apps.common.actors import SYSTEM, Actor
from apps.operations.models import Operation
from apps.operations.services.engine import run_operation
from apps.operations.services.requests import request_operation
from apps.operations.tests import probe
from apps.workspaces.tests.test_lifecycle import join


@pytest.fixture(autouse=True)
def _table(db: None) -> None:
    probe.make_table()


def ask(workspace: Any = None, *, actor: Actor = SYSTEM, **params: Any) -> Operation:
    return request_operation(
        kind="probe.work",
        target_id=uuid4(),
        workspace_id=workspace.pk if workspace else None,
        actor=actor,
        now=timezone.now(),
        params=params,
    )


def client_of(workspace: Any, role: str, make_user: Any, make_client: Any) -> Any:
    person = make_user()
    join(workspace, person, role)
    return make_client(person)


def test_list_and_filters(api: Any, workspace: Any, make_workspace: Any, make_user: Any) -> None:
    mine, done = ask(workspace), ask(workspace)
    ask(make_workspace(owner=make_user()))
    run_operation(operation_id=done.pk, owner="test", clock=timezone.now)
    url = f"/api/v1/workspaces/{workspace.slug}/operations"
    assert {item["id"] for item in api.get(url).json()["items"]} == {str(mine.pk), str(done.pk)}
    succeeded = api.get(url, {"status": "succeeded", "kind": "probe.work"}).json()["items"]
    assert [item["id"] for item in succeeded] == [str(done.pk)]
    assert api.get(url, {"status": "nonsense"}).status_code == 400


def found(client: Any, workspace: Any, query: str) -> list[str]:
    answer = client.get(f"/api/v1/workspaces/{workspace.slug}/operations?{query}")
    assert answer.status_code == 200, answer.json()
    return [item["id"] for item in answer.json()["items"]]


def test_filters_narrow_together(api: Any, workspace: Any) -> None:
    first, failed, done = ask(workspace), ask(workspace, second="refuse"), ask(workspace)
    for each in (failed, done):
        run_operation(operation_id=each.pk, owner="test", clock=timezone.now)
    Operation.objects.filter(pk=first.pk).update(created_at=timezone.now() - timedelta(days=2), kind="databases.backup")
    assert found(api, workspace, "status=failed&status=succeeded") == [str(done.pk), str(failed.pk)]
    assert found(api, workspace, "status=failed") == [str(failed.pk)]
    assert found(api, workspace, "kind=databases.backup") == [str(first.pk)]
    assert len(found(api, workspace, "kind=databases.backup&kind=probe.work")) == 3
    assert found(api, workspace, "kind=probe.work&status=queued") == []
    assert found(api, workspace, f"target={failed.target_id}&target_kind=probe") == [str(failed.pk)]
    assert found(api, workspace, f"target={failed.target_id}&target_kind=database") == []
    yesterday = (timezone.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert found(api, workspace, f"until={yesterday}") == [str(first.pk)]
    assert found(api, workspace, f"since={yesterday}") == [str(done.pk), str(failed.pk)]
    assert found(api, workspace, f"since={yesterday}&until={yesterday}") == []


def test_orders(api: Any, workspace: Any) -> None:
    first, second = ask(workspace), ask(workspace)
    run_operation(operation_id=first.pk, owner="test", clock=timezone.now)
    assert found(api, workspace, "") == [str(second.pk), str(first.pk)]
    assert found(api, workspace, "order=created_at") == [str(first.pk), str(second.pk)]
    assert found(api, workspace, "order=-progress") == [str(first.pk), str(second.pk)]
    assert found(api, workspace, "order=status") == [str(second.pk), str(first.pk)]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("status=nonsense", "/status"),
        ("status=failed&status=nonsense", "/status"),
        ("kind=nonsense", "/kind"),
        ("since=yesterday", "/since"),
        ("until=2026-13-41T00:00:00Z", "/until"),
        ("order=finished_at", "/order"),
        ("order=--created_at", "/order"),
        ("target=%00", "/target"),
        ("colour=red", "/colour"),
        ("limit=0", "/limit"),
        ("cursor=nonsense", "/cursor"),
    ],
)
def test_lists_refuse_what_cannot_be_meant(api: Any, workspace: Any, query: str, pointer: str) -> None:
    answer = api.get(f"/api/v1/workspaces/{workspace.slug}/operations?{query}")
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_filters_reach_no_other_workspace(api: Any, workspace: Any, make_workspace: Any, make_user: Any) -> None:
    foreign = ask(make_workspace(owner=make_user()))
    assert found(api, workspace, f"target={foreign.target_id}") == []
    assert found(api, workspace, "kind=probe.work&status=queued") == []


def test_shape(api: Any, workspace: Any) -> None:
    operation = ask(workspace)
    body = api.get(f"/api/v1/operations/{operation.pk}").json()
    assert body["status"] == "queued"
    assert body["target"] == {"kind": "probe", "id": operation.target_id}
    assert body["workspace"] == str(workspace.pk)
    assert [step["name"] for step in body["steps"]] == ["first", "second", "third"]
    assert {"progress", "message", "attempt", "error", "result", "created_at", "finished_at"} <= set(body)


def test_fault_01_strangers_get_404(workspace: Any, make_user: Any, make_client: Any) -> None:
    operation = ask(workspace)
    stranger = make_client(make_user())
    assert stranger.get(f"/api/v1/operations/{operation.pk}").status_code == 404
    for act in ("cancel", "retry"):
        assert stranger.post(f"/api/v1/operations/{operation.pk}/{act}").status_code == 404
    assert stranger.get(f"/api/v1/workspaces/{workspace.slug}/operations").status_code == 404


@pytest.mark.parametrize("ref", ["nonsense", "0190a1b2-c3d4-7e5f-8607-18293a4b5c6d"])
def test_unknown_ones_are_404(api: Any, ref: str) -> None:
    assert api.get(f"/api/v1/operations/{ref}").status_code == 404


def test_nobody_gets_401(make_client: Any) -> None:
    assert make_client().get(f"/api/v1/operations/{uuid4()}").status_code == 401


def test_who_asked_sees_it_while_they_belong_to_the_workspace(workspace: Any, make_user: Any, make_client: Any) -> None:
    person = make_user()
    membership = join(workspace, person, "viewer")
    operation = ask(workspace, actor=act_as(person))
    client = make_client(person)
    assert client.get(f"/api/v1/operations/{operation.pk}").status_code == 200
    membership.status = "left"
    membership.save()
    assert client.get(f"/api/v1/operations/{operation.pk}").status_code == 404


def test_without_a_workspace_only_who_asked_sees_it(api: Any, user: Any) -> None:
    assert api.get(f"/api/v1/operations/{ask(actor=act_as(user)).pk}").status_code == 200
    assert api.get(f"/api/v1/operations/{ask().pk}").status_code == 404


def test_cancel_and_retry_need_the_permission(workspace: Any, make_user: Any, make_client: Any) -> None:
    operation = ask(workspace)
    viewer = client_of(workspace, "viewer", make_user, make_client)
    answer = viewer.post(f"/api/v1/operations/{operation.pk}/cancel")
    assert (answer.status_code, bool(answer.json()["decision_id"])) == (403, True)
    operator = client_of(workspace, "operator", make_user, make_client)
    assert operator.post(f"/api/v1/operations/{operation.pk}/cancel").json()["status"] == "canceled"
    assert operator.post(f"/api/v1/operations/{operation.pk}/cancel").status_code == 409
    assert operator.post(f"/api/v1/operations/{operation.pk}/retry").status_code == 409


def test_retry(api: Any, workspace: Any) -> None:
    operation = ask(workspace, second="refuse")
    run_operation(operation_id=operation.pk, owner="test", clock=timezone.now)
    failed = api.get(f"/api/v1/operations/{operation.pk}").json()
    assert (failed["status"], failed["error"]["code"]) == ("failed", "name_taken")
    assert api.post(f"/api/v1/operations/{operation.pk}/retry").json()["status"] == "queued"


def test_prefer_wait_answers_at_once_when_it_is_finished(api: Any, workspace: Any) -> None:
    operation = ask(workspace)
    run_operation(operation_id=operation.pk, owner="test", clock=timezone.now)
    answer = api.get(f"/api/v1/operations/{operation.pk}", HTTP_PREFER="wait=20")
    assert answer.json()["status"] == "succeeded"


def test_prefer_wait_is_bounded(api: Any, workspace: Any) -> None:
    started = timezone.now()
    answer = api.get(f"/api/v1/operations/{ask(workspace).pk}", HTTP_PREFER="wait=1")
    assert answer.json()["status"] == "queued"
    assert 0.9 < (timezone.now() - started).total_seconds() < 5


def test_filters_are_documented(client: Any) -> None:
    schema = client.get("/api/v1/schema", HTTP_ACCEPT="application/json").json()
    listed = schema["paths"]["/api/v1/workspaces/{workspace}/operations"]["get"]["parameters"]
    told = {parameter["name"]: parameter.get("description", "") for parameter in listed}
    for name in ("kind", "status", "target", "target_kind", "since", "until"):
        assert told[name], name
