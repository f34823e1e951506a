"""Restores by real workers on a real server, and processes that die at every line of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connections
from django.utils import timezone

from apps.common.actors import SYSTEM
from apps.databases.models import Backup, KeptDatabase, Restore, SpaceReservation
from apps.databases.services.restores.requests import request_restore, request_swap_back
from apps.databases.services.restores.swapping import open_overdue_fences
from apps.databases.tests import dying_restores
from apps.databases.tests.factories import connect_as_login
from apps.databases.tests.test_swap import ask, run
from apps.operations.models import Operation
from apps.operations.services.engine import run_operation
from apps.operations.services.sweep import sweep_operations
from config.testing.processes import StartWorker, wait_for

DYING = "apps.databases.tests.dying_restores"
STEPS = ("check", "fetch", "create", "load", "verify", "grant", "backup", "swap", "record", "tidy")
DEATHS = ["check before", *(f"{step} after" for step in STEPS), "mid-swap"]
SWAPPED = {"swap after", "record after", "tidy after"}


class Place:
    """A workspace's database that holds 1,000 notes, a backup of them, and 5 more notes since."""

    def __init__(self, database: Any, folder: Path) -> None:
        self.database, self.name, self.workspace = database, database.name, database.workspace
        run(
            self.name,
            f'SET ROLE "{database.ddl_role}"',
            "CREATE TABLE app.note (id int PRIMARY KEY); INSERT INTO app.note SELECT generate_series(1, 1000)",
        )
        dying_restores.PLAIN = folder
        self.backup = Backup.objects.get(pk=dying_restores.back_up_now(None, database))
        run(self.name, "INSERT INTO app.note SELECT generate_series(2001, 2005)")

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
        assert not SpaceReservation.objects.exists()
        return kept


@pytest.fixture
def place(committed_database: str, make_database: Callable[..., Any], tmp_path: Path) -> Place:
    return Place(make_database(), tmp_path)


def status(operation: Operation) -> str:
    operation.refresh_from_db()
    return str(operation.status)


def finish(operation: Operation, worker: Any) -> None:
    assert wait_for(lambda: status(operation) in {"succeeded", "failed"}, seconds=40), worker.read_log()
    assert operation.status == "succeeded", (operation.error, worker.read_log())


def abandon(operation: Operation) -> None:
    """What 60 seconds without a heartbeat do."""
    Operation.objects.filter(pk=operation.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    sweep_operations(now=timezone.now())
    Operation.objects.filter(pk=operation.pk).update(next_attempt_at=timezone.now())


def carry_out(operation: Operation) -> Operation:
    run_operation(operation_id=operation.pk, owner="test", clock=timezone.now)
    operation.refresh_from_db()
    return operation


def test_restore_takes_the_live_ones_place_and_keeps_it(
    place: Place, worker_process: StartWorker, tmp_path: Path
) -> None:
    worker = worker_process(include=DYING, PLAIN_DUMPS=str(tmp_path))
    operation = place.restore()
    finish(operation, worker)
    kept = place.require_restored(operation)
    assert operation.result["kept"]["name"] == kept.name
    place.as_workspace(place.name, "INSERT INTO app.note VALUES (3000)")
    place.as_workspace(kept.name, "SELECT * FROM app.note")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        place.as_workspace(kept.name, "SET TRANSACTION READ WRITE; INSERT INTO app.note VALUES (3000)")


def test_fault_59_worker_killed_mid_swap_another_finishes(
    place: Place, worker_process: StartWorker, tmp_path: Path
) -> None:
    worker = worker_process(include=DYING, PLAIN_DUMPS=str(tmp_path), DIE_AT="mid-swap")
    operation = place.restore()
    assert wait_for(lambda: worker.process.poll() is not None, seconds=40), worker.read_log()
    with pytest.raises(psycopg.OperationalError, match="not currently accepting"):
        place.notes()
    assert open_overdue_fences(now=timezone.now()) == 0, "the swap has some time"
    assert open_overdue_fences(now=timezone.now() + timedelta(seconds=11)) == 1
    place.as_workspace(place.name, "SELECT 1 FROM app.note")
    assert place.notes() == 1005
    second = worker_process(include=DYING, PLAIN_DUMPS=str(tmp_path))
    abandon(operation)
    finish(operation, second)
    place.require_restored(operation)


def die_at(death: str, operation: Operation) -> None:
    """Carry the operation out in a process of its own, which kills itself there."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        dying_restores.DIE_AT = death
        carry_out(operation)
        os._exit(0)
    _, ended = os.waitpid(child, 0)
    assert os.WIFSIGNALED(ended), ended


@pytest.mark.parametrize("death", DEATHS)
def test_fault_59_killed_anywhere_the_old_one_serves_and_the_retry_finishes(place: Place, death: str) -> None:
    operation = place.restore()
    die_at(death, operation)
    # Long before the lease runs out, clients are let in again.
    open_overdue_fences(now=timezone.now() + timedelta(seconds=11))
    place.as_workspace(place.name, "SELECT 1 FROM app.note")
    assert place.notes() == (1000 if death in SWAPPED else 1005)
    abandon(operation)
    assert carry_out(operation).status == "succeeded", operation.error
    place.require_restored(operation)
