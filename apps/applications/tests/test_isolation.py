"""Who reaches what: strangers learn nothing, members may do what their role says."""

from __future__ import annotations

from typing import Any

import pytest

from apps.applications.tests.factories import make_app, make_definition
from apps.common.tenancy import enter

pytestmark = pytest.mark.django_db

_ALL = {"owner", "admin", "developer", "operator", "viewer"}
_WRITERS = {"owner", "admin", "developer"}
_PUBLISHERS = {"owner", "admin", "developer", "operator"}

#: method, path under one app, body, who may.
_ON_ONE_APP: list[tuple[str, str, Any, set[str]]] = [
    ("get", "draft", None, _ALL),
    ("put", "draft", {"definition": make_definition()}, _WRITERS),
    ("get", "versions", None, _ALL),
    ("post", "versions", {}, _WRITERS),
    ("get", "versions/1", None, _ALL),
    ("get", "versions/1/diff/1", None, _ALL),
    ("post", "publish", {}, _PUBLISHERS),
    ("post", "publish", {"dry_run": True}, _PUBLISHERS),
    ("post", "rollback", {}, _PUBLISHERS),
    ("get", "releases", None, _ALL),
    ("post", "unpublish", {}, _PUBLISHERS),
    ("post", "deprecate", {}, _PUBLISHERS),
    ("post", "undeprecate", {}, _PUBLISHERS),
    ("post", "archive", {}, _WRITERS),
    ("post", "unarchive", {}, _WRITERS),
    ("get", "access-policy", None, _ALL),
    ("patch", "access-policy", {"visitor_limit": 9}, _WRITERS),
    ("get", "preview", None, _ALL),
]
_ENDPOINTS: list[tuple[str, str, Any, set[str]]] = [
    ("get", "apps", None, _ALL),
    ("post", "apps", {"name": "A"}, _WRITERS),
    ("get", "apps/{app}", None, _ALL),
    ("patch", "apps/{app}", {"name": "B"}, _WRITERS),
    ("delete", "apps/{app}", None, {"owner", "admin"}),
    ("post", "apps/{app}/duplicate", {}, _WRITERS),
    *((method, f"apps/{{app}}/{path}", body, roles) for method, path, body, roles in _ON_ONE_APP),
    *_ON_ONE_APP,
]
_NAMES = [f"{method} {path}" for method, path, _, _ in _ENDPOINTS]


def call(client: Any, method: str, url: str, body: Any) -> Any:
    headers = {"If-Match": "*"} if method in {"put", "patch", "delete"} else {}
    return getattr(client, method)(url, body, headers=headers)


@pytest.mark.parametrize(("method", "path", "body", "roles"), _ENDPOINTS, ids=_NAMES)
def test_fault_1_another_workspaces_caller_learns_nothing(
    api: Any, make_user: Any, make_workspace: Any, method: str, path: str, body: Any, roles: set[str]
) -> None:
    theirs = make_workspace(owner=make_user(), slug="theirs")
    with enter(theirs):
        app = make_app(theirs, published=True)
    nothing = call(api, method, f"/api/v1/workspaces/nobody/{path.format(app='nobody')}", body)
    for reference in (theirs.slug, str(theirs.pk)):
        for name in (app.slug, str(app.pk)):
            answer = call(api, method, f"/api/v1/workspaces/{reference}/{path.format(app=name)}", body)
            assert answer.status_code == 404
            known = {"request_id"}
            assert {k: v for k, v in answer.json().items() if k not in known} == {
                k: v for k, v in nothing.json().items() if k not in known
            }


_WITH_APP = [endpoint for endpoint in _ENDPOINTS if "{app}" in endpoint[1]]


@pytest.mark.parametrize(("method", "path", "body", "roles"), _WITH_APP)
def test_fault_1_another_workspaces_app_is_not_found_in_ones_own(
    api: Any, base: str, make_user: Any, make_workspace: Any, method: str, path: str, body: Any, roles: set[str]
) -> None:
    theirs = make_workspace(owner=make_user(), slug="theirs")
    with enter(theirs):
        app = make_app(theirs, published=True)
    for name in (app.slug, str(app.pk)):
        answer = call(api, method, f"{base}/{path.format(app=name)}", body)
        assert (answer.status_code, answer.json()["code"]) == (404, "app_not_found")


@pytest.mark.parametrize(("method", "path", "body", "roles"), _ENDPOINTS, ids=_NAMES)
def test_each_role_may_what_it_says(
    as_role: Any, make_client: Any, base: str, workspace: Any, method: str, path: str, body: Any, roles: set[str]
) -> None:
    with enter(workspace):
        make_app(workspace, published=True)
    url = f"{base}/{path.format(app='doubler')}"
    for role in ("viewer", "operator", "developer", "admin"):
        answer = call(as_role(role), method, url, body)
        if role in roles:
            assert answer.status_code not in {401, 403}, role
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied"), role
            assert answer.json()["decision_id"]
    assert call(make_client(), method, url, body).status_code == 401


def test_fault_1_a_workflow_of_another_workspace_can_not_be_named(
    api: Any, base: str, make_user: Any, make_client: Any, make_workspace: Any
) -> None:
    other = make_user()
    theirs = make_workspace(owner=other, slug="theirs")
    workflow = {"name": "Twice", "slug": "twice", "definition": {"steps": [], "outputs": {"twice": 2}}}
    assert make_client(other).post(f"/api/v1/workspaces/{theirs.slug}/workflows", workflow).status_code == 201
    definition = make_definition()
    definition["actions"]["double"] = {"workflow": {"ref": "twice"}}
    answer = api.post(f"{base}/apps", {"name": "A", "definition": definition})
    assert answer.json()["errors"][0]["code"] == "unknown_workflow"
