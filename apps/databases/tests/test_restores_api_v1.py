"""The endpoints of restores: what they do, who may, whose, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.billing.tests.factories import set_limit
from apps.databases.models import Backup, KeptDatabase, Restore
from apps.databases.states import BackupStatus
from apps.operations.models import Operation
from apps.workspaces.tests.factories import add_member


@pytest.fixture
def database(make_database: Callable[..., Any], workspace: Any) -> Any:
    return make_database(workspace)


def make_backup(database: Any, **fields: Any) -> Backup:
    return Backup.objects.create(
        **{
            "database": database,
            "workspace_id": database.workspace_id,
            "status": BackupStatus.STORED,
            "storage_key": uuid4().hex,
            "started_at": timezone.now(),
            **fields,
        }
    )


def make_kept(database: Any, **fields: Any) -> KeptDatabase:
    return KeptDatabase.objects.create(
        **{
            "database": database,
            "name": f"{database.prefix}_k{uuid4().hex[:12]}",
            "origin": "replaced",
            "operation_id": uuid4(),
            "keep_until": timezone.now() + timedelta(days=7),
            **fields,
        }
    )


def here(workspace: Any, path: str) -> str:
    return f"/api/v1/workspaces/{workspace.slug}/database/{path}"


@pytest.mark.parametrize(
    ("into_new", "kind"), [(False, "databases.restore"), (True, "databases.restore_copy"), (None, "databases.restore")]
)
def test_restore_is_an_operation(api: Any, workspace: Any, database: Any, into_new: bool | None, kind: str) -> None:
    backup = make_backup(database)
    body = {"backup": str(backup.pk)} | ({} if into_new is None else {"into_new": into_new})
    answer = api.post(here(workspace, "restore"), body, format="json")
    assert answer.status_code == 202
    operation = Operation.objects.get(pk=answer.json()["id"])
    assert answer["Location"] == f"/api/v1/operations/{operation.pk}"
    assert (operation.kind, operation.target_id) == (kind, str(database.pk))
    assert Restore.objects.get(operation_id=operation.pk).backup == backup


def test_second_restore_waits_its_turn_by_409(api: Any, workspace: Any, database: Any) -> None:
    body = {"backup": str(make_backup(database).pk)}
    assert api.post(here(workspace, "restore"), body, format="json").status_code == 202
    answer = api.post(here(workspace, "restore"), body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "restore_under_way")


@pytest.mark.parametrize("status", [BackupStatus.RUNNING, BackupStatus.FAILED, BackupStatus.UNUSABLE])
def test_fault_57_unusable_backup_is_refused(api: Any, workspace: Any, database: Any, status: str) -> None:
    backup = make_backup(database, status=status)
    answer = api.post(here(workspace, "restore"), {"backup": str(backup.pk)}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "backup_not_usable")
    assert not Operation.objects.filter(kind="databases.restore").exists()


def test_no_room_is_402(api: Any, workspace: Any, database: Any) -> None:
    type(database).objects.filter(pk=database.pk).update(size_bytes=900)
    set_limit(workspace, "database.bytes", 1000)
    backup = make_backup(database, size_bytes=5000, manifest={"database_bytes": 5000})
    answer = api.post(here(workspace, "restore"), {"backup": str(backup.pk)}, format="json")
    assert (answer.status_code, answer.json()["dimension"]) == (402, "database.bytes")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/backup"),
        ({"backup": "last"}, "/backup"),
        ({"backup": 7}, "/backup"),
        ({"backup": str(uuid4()), "into_new": "yes"}, "/into_new"),
        ({"backup": str(uuid4()), "force": True}, "/force"),
    ],
)
def test_bad_input_is_pointed_at(api: Any, workspace: Any, database: Any, body: Any, pointer: str) -> None:
    answer = api.post(here(workspace, "restore"), body, format="json")
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_another_workspaces_backup_is_not_found(
    api: Any, workspace: Any, database: Any, make_workspace: Any, make_user: Any, make_database: Any
) -> None:
    theirs = make_database(make_workspace(owner=make_user()))
    answer = api.post(here(workspace, "restore"), {"backup": str(make_backup(theirs).pk)}, format="json")
    unknown = api.post(here(workspace, "restore"), {"backup": str(uuid4())}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (404, "backup_not_found")
    assert answer.json()["detail"] == unknown.json()["detail"]


def test_workspace_without_a_database_is_404(api: Any, workspace: Any) -> None:
    answer = api.post(here(workspace, "restore"), {"backup": str(uuid4())}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (404, "database_not_found")


def test_kept_ones_are_listed_until_they_go(api: Any, workspace: Any, database: Any) -> None:
    kept = make_kept(database)
    make_kept(database, keep_until=timezone.now() - timedelta(seconds=1))
    make_kept(database, dropped_at=timezone.now())
    (item,) = api.get(here(workspace, "kept")).json()["items"]
    assert (item["id"], item["name"], item["origin"]) == (str(kept.pk), kept.name, "replaced")


def test_kept_one_is_given_up_once(api: Any, workspace: Any, database: Any) -> None:
    kept = make_kept(database)
    assert api.delete(here(workspace, f"kept/{kept.pk}")).status_code == 204
    assert api.get(here(workspace, "kept")).json()["items"] == []
    assert api.delete(here(workspace, f"kept/{kept.pk}")).status_code == 404


def test_kept_one_that_is_put_back_is_not_given_up(api: Any, workspace: Any, database: Any) -> None:
    kept = make_kept(database)
    assert api.post(here(workspace, f"kept/{kept.pk}/restore")).status_code == 202
    answer = api.delete(here(workspace, f"kept/{kept.pk}"))
    assert (answer.status_code, answer.json()["code"]) == (409, "kept_database_in_use")


def _calls(workspace: Any, backup: Backup, kept: KeptDatabase) -> list[tuple[str, str, Any]]:
    return [
        ("post", here(workspace, "restore"), {"backup": str(backup.pk)}),
        ("post", here(workspace, f"kept/{kept.pk}/restore"), None),
        ("delete", here(workspace, f"kept/{kept.pk}"), None),
    ]


def test_who_may_not_restore_is_refused(workspace: Any, database: Any, make_user: Any, make_client: Any) -> None:
    viewer = make_user()
    add_member(workspace, viewer, "operator")
    backup, kept = make_backup(database), make_kept(database)
    client = make_client(viewer)
    for method, address, body in _calls(workspace, backup, kept):
        assert getattr(client, method)(address, body, format="json").status_code == 403
    assert client.get(here(workspace, "kept")).status_code == 200


def test_fault_1_another_workspaces_caller_finds_nothing(
    workspace: Any, database: Any, make_user: Any, make_workspace: Any, make_client: Any, make_database: Any
) -> None:
    stranger = make_user()
    own = make_workspace(owner=stranger)
    make_database(own)
    backup, kept = make_backup(database), make_kept(database)
    client = make_client(stranger)
    for method, address, body in _calls(workspace, backup, kept) + _calls(own, backup, kept):
        assert getattr(client, method)(address, body, format="json").status_code == 404
    assert client.get(here(workspace, "kept")).status_code == 404
    assert client.get(here(own, "kept")).json()["items"] == []
    assert make_client().get(here(workspace, "kept")).status_code == 401
