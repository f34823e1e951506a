"""The backup that a migration takes first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.common.actors import SYSTEM
from apps.databases.errors import ProgramMissing, StorageUnavailable
from apps.databases.models import Backup, WorkspaceDatabase
from apps.databases.services.migration_requests import request_migrations
from apps.databases.tests.factories import connect_as_login
from apps.operations.models import Operation
from apps.operations.services.engine import run_operation
from apps.operations.services.requests import retry_operation

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("backup_folder")]

TABLE = "create table note (id int primary key)"
ROW = f"{TABLE}; insert into note values (1)"


def ask(database: WorkspaceDatabase, *texts: str, **options: Any) -> Operation:
    """The operation that applies these texts, the first of which is version 1."""
    scripts = [{"version": n, "name": f"step {n}", "sql": text} for n, text in enumerate(texts, start=1)]
    asked = request_migrations(
        workspace=database.workspace, migrations=scripts, actor=SYSTEM, now=timezone.now(), **options
    )
    operation: Operation = Operation.objects.get(pk=asked.operation_id)
    return operation


def carry_out(operation: Operation) -> Operation:
    run_operation(operation_id=operation.pk, owner="test", clock=timezone.now)
    operation.refresh_from_db()
    return operation


def migrate(database: WorkspaceDatabase, *texts: str, **options: Any) -> Operation:
    operation = carry_out(ask(database, *texts, **options))
    assert operation.status == "succeeded", operation.error
    return operation


def test_rows_are_backed_up_before_they_are_changed(make_database: Any) -> None:
    database = make_database()
    migrate(database, ROW)
    done = migrate(database, ROW, "delete from note")
    backup = Backup.objects.get()
    assert (backup.kind, backup.status, str(backup.pk)) == ("before_migrate", "stored", done.result["before"])
    [note] = [table for table in (backup.manifest or {})["tables"] if table["name"] == "note"]
    assert (note["rows"], backup.revision) == (1, 1)
    assert done.result["revision"] == 2


@pytest.mark.parametrize(
    ("texts", "options"),
    [
        pytest.param((ROW,), {}, id="nothing is to be applied"),
        pytest.param((ROW, "drop table note"), {"dry_run": True}, id="a dry run"),
        pytest.param((ROW, "drop table note"), {"backup": False}, id="not wanted"),
    ],
)
def test_no_backup_is_made_when(make_database: Any, texts: Any, options: Any) -> None:
    database = make_database()
    migrate(database, ROW)
    assert migrate(database, *texts, **options).result["before"] is None
    assert not Backup.objects.exists()


def test_tables_that_never_held_a_row_need_no_backup(make_database: Any) -> None:
    database = make_database()
    migrate(database, TABLE)
    assert migrate(database, TABLE, "alter table note add text text").result["before"] is None
    with connect_as_login(database) as login:
        login.execute("INSERT INTO note VALUES (1)")
    migrate(database, TABLE, "alter table note add text text", "drop table note")
    assert Backup.objects.get().revision == 2


def test_without_a_fitting_pg_dump_nothing_begins(make_database: Any, monkeypatch: Any) -> None:
    database = make_database()
    monkeypatch.setattr("apps.databases.clients.programs._installed", lambda *_: ())
    migrate(database, ROW)
    with pytest.raises(ProgramMissing):
        ask(database, ROW, "delete from note")
    migrate(database, ROW, "delete from note", backup=False)


def test_a_backup_that_fails_leaves_the_database_alone_and_a_retry_makes_another(
    make_database: Any, monkeypatch: Any, settings: Any
) -> None:
    settings.OPERATION_MAX_ATTEMPTS = 1
    database = make_database()
    migrate(database, ROW)

    def refuse(*_: Any) -> None:
        raise StorageUnavailable("The bucket is gone.")

    with monkeypatch.context() as broken:
        broken.setattr("apps.databases.services.backups.taking.save_file", refuse)
        failed = ask(database, ROW, "delete from note")
        assert carry_out(failed).status == "failed"
    assert failed.error is not None
    assert "The bucket is gone." in failed.error["detail"]
    assert Backup.objects.get().status == "failed"
    database.refresh_from_db()
    assert database.revision == 1
    retry_operation(operation_id=failed.pk, actor=SYSTEM, now=timezone.now())
    assert carry_out(failed).status == "succeeded"
    assert sorted(Backup.objects.values_list("status", flat=True)) == ["failed", "stored"]
    assert failed.result["before"] == str(Backup.objects.get(status="stored").pk)


def test_the_api_takes_backup_false_and_nothing_else_for_it(
    make_database: Any, workspace: Any, api: APIClient, backup_folder: Path
) -> None:
    database = make_database(workspace)
    migrate(database, ROW)
    address = f"/api/v1/workspaces/{workspace.slug}/database/migrate"
    body = {"migrations": [{"version": 2, "name": "gone", "sql": "drop table note"}]}
    answers = []
    for backup in ("no", False):
        answers.append(api.post(address, json.dumps({**body, "backup": backup}), content_type="application/json"))
    assert [answer.status_code for answer in answers] == [400, 202]
    assert answers[0].json()["errors"][0]["pointer"] == "/backup"
    run_operation(operation_id=answers[1].json()["id"], owner="test", clock=timezone.now)
    assert api.get(f"/api/v1/operations/{answers[1].json()['id']}").json()["result"]["before"] is None
    assert not backup_folder.exists() or not list(backup_folder.rglob("*.sealed"))
