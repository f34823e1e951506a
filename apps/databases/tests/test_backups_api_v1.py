"""Backups over HTTP: what they answer, who may, what strangers learn, what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.billing.tests.factories import set_limit
from apps.common.ids import new_id
from apps.common.tenancy import enter
from apps.databases.errors import BackupBroken
from apps.databases.models import Backup, BackupSchedule, WorkspaceDatabase
from apps.databases.services.servers import open_server
from apps.databases.tests.factories import run_steps
from apps.operations.models import Operation
from apps.workspaces.tests.factories import add_member

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("backup_folder")]

_ALL = {"owner", "admin", "developer", "operator", "viewer"}
_MAKERS = {"owner", "admin", "developer", "operator"}
_MANAGERS = {"owner", "admin"}
ENDPOINTS: list[tuple[str, str, Any, set[str]]] = [
    ("post", "database/backup", {}, _MAKERS),
    ("get", "database/backups", None, _ALL),
    ("get", "backups/{id}", None, _ALL),
    ("delete", "backups/{id}", None, _MANAGERS),
    ("post", "backups/{id}/prove", {}, _MAKERS),
    ("get", "backups/{id}/download", None, _MANAGERS),
    ("get", "database/backup-schedule", None, _ALL),
    ("patch", "database/backup-schedule", {"enabled": True}, _MANAGERS),
]
NAMES = [f"{method} {path}" for method, path, _, _ in ENDPOINTS]


@pytest.fixture
def database(workspace: Any, make_database: Any) -> WorkspaceDatabase:
    made: WorkspaceDatabase = make_database(workspace=workspace)
    return made


def call(client: Any, workspace: Any, method: str, path: str, body: Any = None, **headers: Any) -> Any:
    address = f"/api/v1/workspaces/{workspace.slug}/{path}"
    return getattr(client, method)(address, *([body] if body is not None else []), format="json", headers=headers)


def finish(response: Any) -> None:
    assert response.status_code == 202, response.json()
    operation = Operation.objects.get(pk=response.json()["id"])
    run_steps(operation)
    Operation.objects.filter(pk=operation.pk).delete()


def a_backup(database: WorkspaceDatabase, status: str = "stored") -> Backup:
    """The row of one, without files."""
    now = timezone.now()
    backup: Backup = Backup.objects.create(
        id=new_id(),
        database=database,
        workspace_id=database.workspace_id,
        status=status,
        storage_key=f"databases/{new_id().hex}",
        size_bytes=10,
        started_at=now,
        stored_at=now,
    )
    return backup


def test_backup_is_made_shown_proved_downloaded_and_deleted(
    api: Any, workspace: Any, database: Any, tmp_path: Path
) -> None:
    finish(call(api, workspace, "post", "database/backup", {}))
    (item,) = call(api, workspace, "get", "database/backups").json()["items"]
    assert item["status"] == "stored"
    assert item["kind"] == "manual"
    assert len(item["sha256"]) == 64
    path = f"backups/{item['id']}"
    assert call(api, workspace, "get", path).json() == item
    finish(call(api, workspace, "post", f"{path}/prove", {}))
    assert call(api, workspace, "get", path).json()["status"] == "proved"
    assert call(api, workspace, "get", "database").json()["backup"]["last_proved_at"]

    answer = call(api, workspace, "get", f"{path}/download")
    dump = b"".join(answer.streaming_content)
    assert int(answer["Content-Length"]) == len(dump)
    assert answer["Content-Disposition"].startswith(f'attachment; filename="{workspace.slug}-')
    (tmp_path / "given.dump").write_bytes(dump)
    subprocess.run(["pg_restore", "--list", tmp_path / "given.dump"], check=True, capture_output=True)

    refused = call(api, workspace, "delete", path)
    assert (refused.status_code, refused.json()["code"]) == (409, "last_proved_backup")
    finish(call(api, workspace, "post", "database/backup", {}))
    newer = call(api, workspace, "get", "database/backups?status=stored").json()["items"][0]
    assert call(api, workspace, "delete", f"backups/{newer['id']}").status_code == 204
    assert call(api, workspace, "get", f"backups/{newer['id']}").json()["status"] == "expired"
    with enter(workspace):
        acts = set(AuditEvent.objects.filter(target_kind="backup").values_list("action", flat=True))
    assert acts == {"backup.create", "backup.prove", "backup.download", "backup.delete"}


def test_damaged_download_breaks_off_before_its_end(
    api: Any, workspace: Any, database: Any, backup_folder: Path
) -> None:
    with open_server(database.server, database=database.name) as inside:
        inside.execute("CREATE TABLE app.noise AS SELECT gen_random_uuid() AS id FROM generate_series(1, 150000)")
    finish(call(api, workspace, "post", "database/backup", {}))
    backup = Backup.objects.get()
    sealed = next(backup_folder.rglob("*.sealed"))
    data = bytearray(sealed.read_bytes())
    data[-1] ^= 1
    sealed.write_bytes(data)
    answer = call(api, workspace, "get", f"backups/{backup.pk}/download")
    received = 0
    with pytest.raises(BackupBroken):
        for piece in answer.streaming_content:
            received += len(piece)
    assert 0 < received < int(answer["Content-Length"])


def test_no_room_is_402_and_no_database_is_404(api: Any, workspace: Any, make_workspace: Any, user: Any) -> None:
    missing = call(api, workspace, "post", "database/backup", {})
    assert (missing.status_code, missing.json()["code"]) == (404, "database_not_found")


def test_402_names_dimension_and_limit(api: Any, workspace: Any, database: Any) -> None:
    set_limit(workspace, "backup.bytes", 5)
    a_backup(database)
    refused = call(api, workspace, "post", "database/backup", {})
    assert refused.status_code == 402
    assert {name: refused.json()[name] for name in ("dimension", "limit", "used")} == {
        "dimension": "backup.bytes",
        "limit": 5,
        "used": 10,
    }
    assert Backup.objects.count() == 1


@pytest.mark.parametrize("status", ["failed", "unusable", "expired", "running"])
def test_backup_that_is_no_use_is_neither_proved_nor_given(
    api: Any, workspace: Any, database: Any, status: str
) -> None:
    backup = a_backup(database, status)
    for method, path in (("post", f"backups/{backup.pk}/prove"), ("get", f"backups/{backup.pk}/download")):
        answer = call(api, workspace, method, path, {} if method == "post" else None)
        assert (answer.status_code, answer.json()["code"]) == (409, "backup_not_usable")


def test_schedule_is_daily_and_can_be_changed(api: Any, workspace: Any, database: Any) -> None:
    shown = call(api, workspace, "get", "database/backup-schedule")
    assert shown.json()["cron"].endswith(" * * *")
    assert shown.json()["enabled"]
    tag = shown["ETag"]
    body = {"cron": "30 2 * * mon", "time_zone": "Europe/Berlin", "keep_count": 5, "keep_days": None}
    changed = call(api, workspace, "patch", "database/backup-schedule", body, **{"If-Match": tag})
    assert changed.status_code == 200, changed.json()
    assert {name: changed.json()[name] for name in body} == body
    assert call(api, workspace, "patch", "database/backup-schedule", body, **{"If-Match": tag}).status_code == 412
    off = call(api, workspace, "patch", "database/backup-schedule", {"enabled": False}).json()
    assert (off["enabled"], off["next_run_at"]) == (False, None)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"cron": "daily"}, "/cron"),
        ({"cron": "* * * * *"}, "/cron"),
        ({"cron": "0 0 30 2 *"}, "/cron"),
        ({"cron": "61 0 * * *"}, "/cron"),
        ({"time_zone": "Mars/Base"}, "/time_zone"),
        ({"time_zone": "../etc/passwd"}, "/time_zone"),
        ({"time_zone": "posixrules"}, "/time_zone"),
        ({"keep_count": 0}, "/keep_count"),
        ({"keep_days": "7"}, "/keep_days"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_bad_schedule_is_400_and_changes_nothing(
    api: Any, workspace: Any, database: Any, body: Any, pointer: str
) -> None:
    before = BackupSchedule.objects.values().get()
    answer = call(api, workspace, "patch", "database/backup-schedule", body)
    assert answer.status_code == 400, answer.json()
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert BackupSchedule.objects.values().get() == before


@pytest.mark.parametrize(("method", "path", "body", "_may"), ENDPOINTS, ids=NAMES)
def test_fault_1_another_workspaces_caller_finds_nothing(
    make_client: Any,
    make_user: Any,
    make_workspace: Any,
    workspace: Any,
    database: Any,
    method: str,
    path: str,
    body: Any,
    _may: Any,
) -> None:
    backup = a_backup(database)
    stranger = make_user()
    theirs = make_workspace(owner=stranger)
    client = make_client(stranger)
    here = call(client, workspace, method, path.format(id=backup.pk), body)
    assert here.status_code == 404
    if "{id}" in path:
        answer = call(client, theirs, method, path.format(id=backup.pk), body)
        assert (answer.status_code, answer.json()["code"]) == (404, "backup_not_found")
    assert Backup.objects.get().status == "stored"


@pytest.mark.parametrize(("method", "path", "body", "may"), ENDPOINTS, ids=NAMES)
def test_who_may(
    make_client: Any, make_user: Any, workspace: Any, database: Any, method: str, path: str, body: Any, may: set[str]
) -> None:
    backup = a_backup(database, "failed")
    for role in sorted(_ALL - {"owner"}):
        person = make_user()
        add_member(workspace, person, role)
        answer = call(make_client(person), workspace, method, path.format(id=backup.pk), body)
        assert (answer.status_code == 403) == (role not in may), (role, answer.status_code)
    assert call(make_client(), workspace, method, path.format(id=backup.pk), body).status_code == 401
