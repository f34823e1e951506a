"""A restore by a real worker on a real server; its deaths are in apps/operations/tests/test_deaths.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from apps.billing.tests.factories import quota_of
from apps.common.actors import SYSTEM
from apps.databases.models import Backup, KeptDatabase, Restore
from apps.databases.services.backups.requests import request_backup
from apps.databases.services.restores.requests import request_restore, request_swap_back
from apps.databases.tests.factories import connect_as_login, run_steps
from apps.databases.tests.test_swap import ask, run
from apps.operations.models import Operation
from apps.operations.services.engine import run_operation
from config.testing.processes import StartWorker, wait_for


class Place:
    """A workspace's database that holds 1,000 notes, a backup of them, and 5 more notes since."""

    def __init__(self, database: Any) -> None:
        self.database, self.name, self.workspace = database, database.name, database.workspace
        run(
            self.name,
            f'SET ROLE "{database.ddl_role}"',
            "CREATE TABLE app.note (id int PRIMARY KEY); INSERT INTO app.note SELECT generate_series(1, 1000)",
        )
        self.backup = self.back_up()
        run(self.name, "INSERT INTO app.note SELECT generate_series(2001, 2005)")

    def back_up(self) -> Backup:
        operation = request_backup(workspace=self.workspace, actor=SYSTEM, now=timezone.now())
        run_steps(operation)
        Operation.objects.filter(pk=operation.pk).delete()
        backup: Backup = Backup.objects.get(pk=operation.params["backup"])
        return backup

    def notes(self, name: str | None = None) -> int:
        return int(ask(name or self.name, "SELECT count(*) FROM app.note")[0][0])

    def restore(self, **options: Any) -> Operation:
        operation_id = request_restore(
            workspace=self.workspace, backup_id=self.backup.pk, actor=SYSTEM, now=timezone.now(), **options
        )
        return Operation.objects.get(pk=operation_id)

    def put_back(self, kept: KeptDatabase) -> Operation:
        operation_id = request_swap_back(workspace=self.workspace, kept_id=kept.pk, actor=SYSTEM, now=timezone.now())
        return Operation.objects.get(pk=operation_id)

    def names(self) -> set[str]:
        query = f"SELECT datname FROM pg_database WHERE starts_with(datname::text, '{self.database.prefix}')"
        return {row[0] for row in ask("postgres", query)}

    def as_workspace(self, name: str, statement: str) -> None:
        self.database.refresh_from_db()
        with connect_as_login(self.database, dbname=name) as session:
            session.execute(statement)  # type: ignore[call-overload]

    def require_restored(self, operation: Operation) -> KeptDatabase:
        """The restored one serves, the old one is kept, and nothing else is left."""
        kept = KeptDatabase.objects.get(operation_id=operation.pk)
        assert (self.notes(), self.notes(kept.name)) == (1000, 1005)
        assert self.names() == {self.name, kept.name}
        assert not Restore.objects.filter(settled_at=None)
        assert not Restore.objects.exclude(fenced_until=None)
        assert quota_of(self.database.workspace, "database.bytes").reserved == 0
        return kept


@pytest.fixture
def place(
    committed_database: str, make_database: Callable[..., Any], backup_folder: Path, settings: Any, tmp_path: Path
) -> Place:
    settings.DATABASE_RESTORE_FOLDER = str(tmp_path / "restores")
    return Place(make_database())


def carry_out(operation: Operation) -> Operation:
    run_operation(operation_id=operation.pk, owner="test", clock=timezone.now)
    operation.refresh_from_db()
    return operation


def test_restore_takes_the_live_ones_place_and_keeps_it(
    place: Place, worker_process: StartWorker, tmp_path: Path
) -> None:
    worker = worker_process(DATA_DIR=str(tmp_path))
    operation = place.restore()

    def ended() -> bool:
        operation.refresh_from_db()
        return operation.status in {"succeeded", "failed"}

    assert wait_for(ended, seconds=40), worker.read_log()
    assert operation.status == "succeeded", (operation.error, worker.read_log())
    kept = place.require_restored(operation)
    assert operation.result["kept"]["name"] == kept.name
    place.as_workspace(place.name, "INSERT INTO app.note VALUES (3000)")
    place.as_workspace(kept.name, "SELECT * FROM app.note")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        place.as_workspace(kept.name, "SET TRANSACTION READ WRITE; INSERT INTO app.note VALUES (3000)")
