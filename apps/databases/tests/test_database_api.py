"""A workspace's database over HTTP: what it answers, who may, what strangers learn, what is refused."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.billing.tests.factories import set_limit
from apps.common.actors import SYSTEM
from apps.common.tenancy import enter
from apps.databases.models import WorkspaceDatabase
from apps.databases.services.servers.registration import drain_server
from apps.databases.states import DatabaseStatus
from apps.databases.tests.factories import run_steps
from apps.operations.models import Operation
from apps.workspaces.tests.factories import add_member

_ALL = {"owner", "admin", "developer", "operator", "viewer"}
_MANAGERS = {"owner", "admin"}
#: method, path, body, who may.
ENDPOINTS: list[tuple[str, str, Any, set[str]]] = [
    ("post", "database", {}, _MANAGERS),
    ("get", "database", None, _ALL),
    ("patch", "database", {"rotation_days": 30}, _MANAGERS),
    ("delete", "database", None, _MANAGERS),
    ("post", "database/undelete", {}, _MANAGERS),
    ("post", "database/rotate-secret", {}, _MANAGERS),
    ("get", "database/credentials", None, {"owner", "admin", "developer"}),
]
NAMES = [f"{method} {path}" for method, path, _, _ in ENDPOINTS]


def call(client: Any, workspace: Any, method: str, path: str = "database", body: Any = None, **headers: Any) -> Any:
    address = f"/api/v1/workspaces/{workspace.slug}/{path}"
    return getattr(client, method)(address, *([body] if body is not None else []), format="json", headers=headers)


def finish(response: Any) -> Operation:
    assert response.status_code == 202, response.json()
    operation = Operation.objects.get(pk=response.json()["id"])
    run_steps(operation)
    Operation.objects.filter(pk=operation.pk).delete()
    return operation


def test_database_is_made_shown_rotated_deleted_and_kept(api: Any, workspace: Any, database_server: Any) -> None:
    asked = call(api, workspace, "post", body={})
    assert asked["Location"] == f"/api/v1/operations/{asked.json()['id']}"
    assert call(api, workspace, "get").json()["status"] == "provisioning"
    finish(asked)

    shown = call(api, workspace, "get").json()
    database = WorkspaceDatabase.objects.get()
    assert shown["size_bytes"] > 1_000_000, "it was measured as it was made"
    assert shown | {"rotation": None, "created_at": None, "size_bytes": None} == {
        "id": str(database.pk),
        "status": "ready",
        "server": database_server.name,
        "host": database_server.host,
        "port": database_server.port,
        "name": f"wd_{database.pk.hex}",
        "revision": 0,
        "size_bytes": None,
        "limit_bytes": 512 * 1024 * 1024,
        "writes_revoked_at": None,
        "backup": {"last_stored_at": None, "last_proved_at": None},
        "rotation": None,
        "delete_after": None,
        "created_at": None,
    }
    assert shown["rotation"]["login"] == database.login("a")

    finish(call(api, workspace, "post", "database/rotate-secret", {}))
    rotation = call(api, workspace, "get").json()["rotation"]
    assert rotation["login"] == database.login("b")
    assert rotation["draining"]["login"] == database.login("a")
    refused = call(api, workspace, "post", "database/rotate-secret", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "rotation_under_way")
    assert refused.json()["sessions"] == []

    finish(call(api, workspace, "delete"))
    assert call(api, workspace, "get").json()["status"] == "deleting"
    assert call(api, workspace, "get", "database/credentials").status_code == 409
    assert call(api, workspace, "post", "database/rotate-secret", {}).status_code == 409
    finish(call(api, workspace, "post", "database/undelete", {}))
    assert call(api, workspace, "get").json()["status"] == "ready"


def test_credentials_work_and_leave_a_trace_but_no_copy(
    api: Any, workspace: Any, make_database: Any, caplog: pytest.LogCaptureFixture
) -> None:
    database = make_database(workspace)
    answer = call(api, workspace, "get", "database/credentials")
    given = answer.json()
    assert set(given) == {"dsn", "login", "rotated_at"}
    assert answer["Cache-Control"] == "no-store"
    with psycopg.connect(given["dsn"]) as client:
        assert client.execute("SELECT current_user, current_database()").fetchone() == (given["login"], database.name)
    password = psycopg.conninfo.conninfo_to_dict(given["dsn"])["password"]
    with enter(workspace):
        event = AuditEvent.objects.get(action="database.view_credentials")
        assert password not in str(event.__dict__)
    assert password not in caplog.text


def test_schedule_is_set_counts_from_now_and_is_ended(api: Any, workspace: Any, make_database: Any) -> None:
    make_database(workspace)
    tag = call(api, workspace, "get")["ETag"]
    changed = call(api, workspace, "patch", body={"rotation_days": 30}, **{"If-Match": tag})
    assert changed.status_code == 200
    assert changed.json()["rotation"]["next_rotation_at"][:4] >= str(timezone.now().year)
    assert call(api, workspace, "patch", body={"rotation_days": 9}, **{"If-Match": tag}).status_code == 412
    ended = call(api, workspace, "patch", body={"rotation_days": None}).json()["rotation"]
    assert (ended["rotation_days"], ended["next_rotation_at"]) == (None, None)


@pytest.mark.parametrize("body", [{"rotation_days": 0}, {"rotation_days": 366}, {"rotation_days": "7"}, {"x": 1}, []])
def test_bad_schedule_is_a_400(api: Any, workspace: Any, make_database: Any, body: Any) -> None:
    make_database(workspace)
    assert call(api, workspace, "patch", body=body).status_code == 400


@pytest.mark.parametrize("path", ["database", "database/undelete", "database/rotate-secret"])
def test_unknown_input_is_a_400(api: Any, workspace: Any, database_server: Any, path: str) -> None:
    assert call(api, workspace, "post", path, {"server": "mine"}).status_code == 400


@pytest.mark.parametrize(("method", "path", "body", "roles"), ENDPOINTS, ids=NAMES)
def test_roles(
    make_user: Any,
    make_client: Any,
    workspace: Any,
    database_server: Any,
    method: str,
    path: str,
    body: Any,
    roles: Any,
) -> None:
    for role in _ALL - {"owner"}:
        member = make_user()
        add_member(workspace, member, role)
        response = call(make_client(member), workspace, method, path, body)
        assert (response.status_code != 403) is (role in roles), role


@pytest.mark.parametrize(("method", "path", "body", "roles"), ENDPOINTS, ids=NAMES)
def test_strangers_learn_nothing(
    make_user: Any, make_client: Any, make_database: Any, method: str, path: str, body: Any, roles: Any
) -> None:
    database = make_database()
    stranger = call(make_client(make_user()), database.workspace, method, path, body)
    assert stranger.status_code == 404
    assert database.workspace.slug not in str(stranger.json().get("detail"))
    assert call(make_client(), database.workspace, method, path, body).status_code == 401
    database.refresh_from_db()
    assert database.status == DatabaseStatus.READY
    assert not Operation.objects.filter(target_id=str(database.pk)).exists()


@pytest.mark.parametrize(("method", "path", "body", "roles"), ENDPOINTS[1:], ids=NAMES[1:])
def test_without_a_database_there_is_nothing(
    api: Any, workspace: Any, method: str, path: str, body: Any, roles: Any
) -> None:
    response = call(api, workspace, method, path, body)
    assert (response.status_code, response.json()["code"]) == (404, "database_not_found")


def test_what_stands_in_the_way_is_told(api: Any, workspace: Any, database_server: Any) -> None:
    for dimension, limit, enough in (("databases", 0, 1), ("database.bytes", 1_000_000, 100_000_000)):
        set_limit(workspace, dimension, limit)
        refused = call(api, workspace, "post", body={})
        assert (refused.status_code, refused.json()["dimension"]) == (402, dimension)
        set_limit(workspace, dimension, enough)
    drain_server(server_id=database_server.pk, actor=SYSTEM, now=timezone.now())
    assert call(api, workspace, "post", body={}).json()["code"] == "no_server_available"
    assert not WorkspaceDatabase.objects.exists()


def test_one_that_failed_is_tried_again(api: Any, workspace: Any, database_server: Any) -> None:
    call(api, workspace, "post", body={})
    assert call(api, workspace, "post", body={}).json()["code"] == "database_exists"
    WorkspaceDatabase.objects.update(status=DatabaseStatus.FAILED)
    finish(call(api, workspace, "post", body={}))
    assert WorkspaceDatabase.objects.get().status == DatabaseStatus.READY
