"""Workflows and runs over HTTP: what they do, who may, whose they are, and what is refused."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.common.tenancy import enter
from apps.workflows.models import Run, Workflow
from apps.workflows.services.runs import start_run
from apps.workflows.tests.factories import DOUBLE, FAILING, create_test_workflow
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def base(workspace: Any) -> str:
    return f"/api/v1/workspaces/{workspace.slug}"


@pytest.fixture
def workflow(workspace: Any) -> Workflow:
    with enter(workspace):
        return create_test_workflow(name="Doubling", slug="doubling")


@pytest.fixture
def run(workspace: Any, workflow: Workflow) -> Run:
    with enter(workspace):
        return start_run(workflow=workflow.slug, inputs={"n": 2}, workspace=workspace, now=timezone.now())


@pytest.fixture
def client_with_role(workspace: Any, make_user: Any, make_client: Any) -> Any:
    def make(role: str) -> Any:
        member = make_user()
        add_member(workspace, member, role)
        return make_client(member)

    return make


def problems(response: Any) -> list[tuple[str, str]]:
    assert response["Content-Type"] == "application/problem+json"
    return [(error["pointer"], error["code"]) for error in response.json()["errors"]]


# ---- what they do


def test_workflow_is_made_read_and_listed(api: Any, base: str, workspace: Any) -> None:
    made = api.post(f"{base}/workflows", {"name": "Doubling numbers", "definition": DOUBLE})
    assert made.status_code == 201, made.content
    body = made.json()
    assert (body["slug"], body["revision"], body["definition"]) == ("doubling-numbers", 1, DOUBLE)
    assert made["Location"] == f"/api/v1/workspaces/{workspace.id}/workflows/{body['id']}"
    for address in (made["Location"], f"{base}/workflows/doubling-numbers"):
        assert api.get(address).json() == body
    assert api.get(f"{base}/workflows").json()["items"] == [body]
    with enter(workspace):
        assert AuditEvent.objects.filter(action="workflow.created", target_id=body["id"]).count() == 1


def test_second_workflow_of_a_name_gets_another_slug(api: Any, base: str) -> None:
    slugs = [api.post(f"{base}/workflows", {"name": "Same", "definition": DOUBLE}).json()["slug"] for _ in range(3)]
    assert slugs == ["same", "same-2", "same-3"]


def test_change_counts_the_revision_up(api: Any, base: str, workflow: Workflow) -> None:
    first = api.get(f"{base}/workflows/doubling")
    changed = api.patch(
        f"{base}/workflows/doubling", {"name": "Twice", "definition": FAILING}, headers={"If-Match": first["ETag"]}
    )
    assert changed.status_code == 200, changed.content
    body = changed.json()
    assert (body["name"], body["revision"], body["definition"]) == ("Twice", 2, FAILING)
    assert changed["ETag"] != first["ETag"]


def test_change_that_changes_nothing_keeps_the_revision(api: Any, base: str, workflow: Workflow) -> None:
    assert api.patch(f"{base}/workflows/doubling", {"name": "Doubling"}).json()["revision"] == 1


def test_stale_revision_is_refused(api: Any, base: str, workflow: Workflow) -> None:
    etag = api.get(f"{base}/workflows/doubling")["ETag"]
    assert api.patch(f"{base}/workflows/doubling", {"name": "A"}, headers={"If-Match": etag}).status_code == 200
    assert api.patch(f"{base}/workflows/doubling", {"name": "B"}, headers={"If-Match": etag}).status_code == 412
    assert api.delete(f"{base}/workflows/doubling", headers={"If-Match": etag}).status_code == 412
    assert api.get(f"{base}/workflows/doubling").json()["name"] == "A"


def test_unchanged_workflow_isnt_sent_again(api: Any, base: str, workflow: Workflow) -> None:
    etag = api.get(f"{base}/workflows/doubling")["ETag"]
    assert api.get(f"{base}/workflows/doubling", headers={"If-None-Match": etag}).status_code == 304


def test_deleted_workflow_leaves_its_runs(api: Any, base: str, workflow: Workflow, run: Run) -> None:
    assert api.delete(f"{base}/workflows/doubling").status_code == 204
    assert api.get(f"{base}/workflows/doubling").status_code == 404
    assert api.get(f"{base}/runs/{run.id}").json()["workflow"] is None


def test_validation_says_what_is_wrong_and_changes_nothing(api: Any, base: str, workflow: Workflow) -> None:
    address = f"{base}/workflows/doubling/validate"
    assert api.post(address, {}).json() == {"ok": True, "errors": []}
    bad = {"steps": [{"id": "a", "kind": "transform", "set": {"x": {"expr": "steps.b.x"}}}]}
    answer = api.post(address, {"definition": bad})
    assert answer.status_code == 200
    assert answer.json()["ok"] is False
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/definition/steps/0/set/x/expr", "unknown_step")
    assert api.get(f"{base}/workflows/doubling").json()["definition"] == DOUBLE


def test_run_answers_with_its_result_and_is_kept(api: Any, base: str, workflow: Workflow) -> None:
    ran = api.post(f"{base}/workflows/doubling/run", {"inputs": {"n": 4}})
    assert ran.status_code == 200, ran.content
    body = ran.json()
    assert (body["status"], body["trigger"], body["error"]) == ("succeeded", "api", None)
    assert (body["inputs"], body["outputs"]["value"]) == ({"n": 4.0}, 8.0)
    assert body["workflow"] == str(workflow.id)
    assert api.get(f"{base}/runs/{body['id']}").json() == body
    assert [item["id"] for item in api.get(f"{base}/runs").json()["items"]] == [body["id"]]
    steps = api.get(f"{base}/runs/{body['id']}/steps").json()["items"]
    assert [(step["step"], step["status"], step["attempt"]) for step in steps] == [
        ("twice", "succeeded", 1),
        ("share", "succeeded", 1),
        ("list", "succeeded", 1),
    ]
    assert steps[0]["output"] == {"value": 8.0}


def test_run_that_fails_says_why(api: Any, base: str, workspace: Any) -> None:
    with enter(workspace):
        create_test_workflow(definition=FAILING, slug="failing")
    ran = api.post(f"{base}/workflows/failing/run", {"inputs": {}})
    assert ran.status_code == 200
    assert ran.json()["status"] == "failed"
    assert ran.json()["error"] == {"code": "division_by_zero", "detail": "This divides by zero.", "step": "bad"}


def test_same_key_runs_once(api: Any, base: str, workflow: Workflow) -> None:
    answers = [
        api.post(f"{base}/workflows/doubling/run", {"inputs": {"n": 4}}, headers={"Idempotency-Key": "k-1"}).json()
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert len(api.get(f"{base}/runs").json()["items"]) == 1


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("status=succeeded", 1),
        ("status=failed", 0),
        ("trigger=api", 1),
        ("workflow={workflow}", 1),
        ("workflow=0190b7a0-0000-7000-8000-000000000000", 0),
        ("since=2020-01-01T00:00:00Z&until=2021-01-01T00:00:00Z", 0),
    ],
)
def test_runs_are_filtered(api: Any, base: str, run: Run, query: str, count: int) -> None:
    answer = api.get(f"{base}/runs?{query.format(workflow=run.workflow_id)}")
    assert answer.status_code == 200, answer.content
    assert len(answer.json()["items"]) == count


def test_queries_do_not_grow_with_the_list(
    api: Any, base: str, workspace: Any, workflow: Workflow, django_assert_max_num_queries: Any
) -> None:
    with enter(workspace):
        for _ in range(12):
            start_run(workflow="doubling", inputs={"n": 1}, workspace=workspace, now=timezone.now())
    with django_assert_max_num_queries(4) as captured:
        assert len(api.get(f"{base}/runs?limit=2").json()["items"]) == 2
    with django_assert_max_num_queries(len(captured)):
        assert len(api.get(f"{base}/runs?limit=12").json()["items"]) == 12


# ---- who may

CALLS = [
    ("get", "/workflows", None, "workflows.view", {"developer", "operator", "viewer"}),
    ("post", "/workflows", {"name": "N", "definition": DOUBLE}, "workflows.edit", {"developer"}),
    ("get", "/workflows/doubling", None, "workflows.view", {"developer", "operator", "viewer"}),
    ("patch", "/workflows/doubling", {"name": "N"}, "workflows.edit", {"developer"}),
    ("delete", "/workflows/doubling", None, "workflows.edit", {"developer"}),
    ("post", "/workflows/doubling/validate", {}, "workflows.view", {"developer", "operator", "viewer"}),
    ("post", "/workflows/doubling/run", {"inputs": {"n": 1}}, "workflows.run", {"developer", "operator"}),
    ("get", "/runs", None, "runs.view", {"developer", "operator"}),
    ("get", "/runs/{run}", None, "runs.view", {"developer", "operator"}),
    ("get", "/runs/{run}/steps", None, "runs.view", {"developer", "operator"}),
]


@pytest.mark.parametrize("role", ["developer", "operator", "viewer"])
@pytest.mark.parametrize(("method", "path", "body", "code", "allowed"), CALLS)
def test_role_decides(
    client_with_role: Any,
    base: str,
    run: Run,
    method: str,
    path: str,
    body: Any,
    code: str,
    allowed: set[str],
    role: str,
) -> None:
    answer = getattr(client_with_role(role), method)(base + path.format(run=run.id), body)
    if role in allowed:
        assert answer.status_code < 300, answer.content
    else:
        assert answer.status_code == 403
        assert answer.json()["decision_id"]
        assert code in answer.json()["detail"]


@pytest.mark.parametrize(("method", "path", "body", "code", "allowed"), CALLS)
def test_nobody_is_401(
    make_client: Any, base: str, run: Run, method: str, path: str, body: Any, code: str, allowed: set[str]
) -> None:
    assert getattr(make_client(), method)(base + path.format(run=run.id), body).status_code == 401


# ---- whose they are


@pytest.mark.parametrize(("method", "path", "body", "code", "allowed"), CALLS)
def test_fault_1_stranger_gets_404(
    make_user: Any,
    make_client: Any,
    base: str,
    run: Run,
    method: str,
    path: str,
    body: Any,
    code: str,
    allowed: set[str],
) -> None:
    answer = getattr(make_client(make_user()), method)(base + path.format(run=run.id), body)
    assert answer.status_code == 404
    assert "doubling" not in answer.content.decode()


@pytest.mark.parametrize(("method", "path", "body", "code", "allowed"), [call for call in CALLS if "/" in call[1][1:]])
def test_fault_1_ids_of_another_workspace_are_unknown(
    make_user: Any,
    make_client: Any,
    make_workspace: Any,
    run: Run,
    workflow: Workflow,
    method: str,
    path: str,
    body: Any,
    code: str,
    allowed: set[str],
) -> None:
    other = make_user()
    theirs = make_workspace(owner=other)
    named = path.format(run=run.id).replace("doubling", str(workflow.id))
    answer = getattr(make_client(other), method)(f"/api/v1/workspaces/{theirs.slug}{named}", body)
    assert answer.status_code == 404
    filtered = make_client(other).get(f"/api/v1/workspaces/{theirs.slug}/runs?workflow={workflow.id}")
    assert filtered.json()["items"] == []


# ---- what is refused


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [("/name", "required"), ("/definition", "required")]),
        ({"name": "x" * 101, "definition": DOUBLE}, [("/name", "max_length")]),
        ({"name": 5, "definition": DOUBLE}, [("/name", "wrong_type")]),
        ({"name": "N", "definition": DOUBLE, "owner": "me"}, [("/owner", "unknown_field")]),
        ({"name": "N", "slug": "Not A Slug", "definition": DOUBLE}, [("/slug", "invalid_slug")]),
        ({"name": "N", "slug": str(uuid4()), "definition": DOUBLE}, [("/slug", "reserved_slug")]),
        ({"name": "N", "definition": []}, [("/definition", "wrong_type")]),
        ({"name": "N", "definition": {}}, [("/definition/steps", "required")]),
        (
            {"name": "N", "definition": {"steps": [{"id": "a", "kind": "magic"}]}},
            [("/definition/steps/0/kind", "not_in_enum")],
        ),
        (
            {"name": "N", "definition": {"steps": [], "outputs": {"x": {"expr": "[1].map(a, a)"}}}},
            [("/definition/outputs/x/expr", "expression_not_supported")],
        ),
    ],
)
def test_bad_workflow_is_refused(api: Any, base: str, body: Any, errors: list[tuple[str, str]]) -> None:
    for method, address in ((api.post, f"{base}/workflows"),):
        answer = method(address, body)
        assert answer.status_code == 400
        assert problems(answer) == errors


def test_slug_of_another_is_refused(api: Any, base: str, workspace: Any, workflow: Workflow) -> None:
    again = api.post(f"{base}/workflows", {"name": "N", "slug": "doubling", "definition": DOUBLE})
    assert (again.status_code, again.json()["code"]) == (409, "slug_taken")
    with enter(workspace):
        create_test_workflow(slug="second")
    moved = api.patch(f"{base}/workflows/second", {"slug": "doubling"})
    assert (moved.status_code, moved.json()["code"]) == (409, "slug_taken")


def test_bad_change_is_refused(api: Any, base: str, workflow: Workflow) -> None:
    answer = api.patch(f"{base}/workflows/doubling", {"definition": {"steps": 1}})
    assert (answer.status_code, problems(answer)) == (400, [("/definition/steps", "wrong_type")])


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"inputs": {}}, [("/inputs/n", "required")]),
        ({"inputs": {"n": "x"}}, [("/inputs/n", "wrong_type")]),
        ({"inputs": {"n": 1e9}}, [("/inputs/n", "too_large")]),
        ({"inputs": {"n": 1, "m": 2}}, [("/inputs/m", "unknown_field")]),
        ({"inputs": [1]}, [("/inputs", "not_a_dict")]),
        ({"input": {"n": 1}}, [("/input", "unknown_field")]),
    ],
)
def test_bad_inputs_are_refused(api: Any, base: str, workflow: Workflow, body: Any, errors: Any) -> None:
    answer = api.post(f"{base}/workflows/doubling/run", body)
    assert answer.status_code == 400
    assert problems(answer) == errors
    assert api.get(f"{base}/runs").json()["items"] == []


@pytest.mark.parametrize(
    "path",
    [
        "/workflows/nobody",
        "/workflows/0190b7a0-0000-7000-8000-000000000000",
        "/runs/x",
        "/runs/x/steps",
        "/runs/0197a000-0000-7000-8000-000000000000",
    ],
)
def test_unknown_is_404(api: Any, base: str, path: str) -> None:
    assert api.get(base + path).status_code == 404


@pytest.mark.parametrize(
    "query", ["status=done", "workflow=x", "since=yesterday", "colour=red", "limit=0", "order=inputs"]
)
def test_bad_query_is_refused(api: Any, base: str, query: str) -> None:
    assert api.get(f"{base}/runs?{query}").status_code == 400


HOSTILE = {
    "28 kB expression": {"steps": [], "outputs": {"x": {"expr": "1" + "+1" * 14_000}}},
    "100,000 brackets in an expression": {"steps": [], "outputs": {"x": {"expr": "(" * 100_000}}},
    "cycle": {"steps": [{"id": "a", "kind": "transform", "depends_on": ["a"], "set": {}}]},
    "$ref": {"steps": [], "$ref": "http://127.0.0.1:9/x"},
    "$ref in the input": {"steps": [], "input": {"type": "object", "$ref": "file:///etc/passwd"}},
    "catastrophic pattern that needs too much": {
        "steps": [],
        "input": {"type": "object", "properties": {"a": {"type": "string", "pattern": "((a{100}){100}){100}"}}},
    },
}


@pytest.mark.parametrize("name", HOSTILE)
def test_fault_25_and_66_hostile_definition_is_400_in_under_a_second(api: Any, base: str, name: str) -> None:
    started = time.perf_counter()
    answer = api.post(f"{base}/workflows", {"name": "N", "definition": HOSTILE[name]})
    assert time.perf_counter() - started < 1.0
    assert answer.status_code == 400, answer.content
    assert problems(answer)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"name": "N", "definition": ' + '{"a":' * 50_000])
def test_fault_66_nested_brackets_are_400_in_under_a_second(api: Any, base: str, text: str) -> None:
    started = time.perf_counter()
    answer = api.post(f"{base}/workflows", data=text, content_type="application/json")
    assert time.perf_counter() - started < 1.0
    assert answer.status_code == 400


@pytest.mark.parametrize("hostile", ["'; DROP TABLE workflows_run; --", "{{ 7*7 }}", "1 + 1", '"); now(); ("', "${x}"])
def test_fault_28_hostile_inputs_are_inert(api: Any, base: str, workspace: Any, hostile: str) -> None:
    definition = {
        "input": {"type": "object", "properties": {"text": {"type": "string"}}},
        "steps": [{"id": "a", "kind": "transform", "set": {"text": {"expr": "inputs.text + '!'"}}}],
        "outputs": {"text": {"expr": "steps.a.text"}},
    }
    with enter(workspace):
        create_test_workflow(definition=definition, slug="echo")
    ran = api.post(f"{base}/workflows/echo/run", {"inputs": {"text": hostile}})
    assert ran.json()["outputs"] == {"text": hostile + "!"}
