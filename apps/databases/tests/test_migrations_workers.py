"""Migrations by real workers that die by SIGKILL at every line that matters."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from apps.common.actors import SYSTEM
from apps.databases.models import SchemaMigration, SpaceReservation
from apps.databases.services.migration_requests import request_migrations
from apps.databases.tests.factories import connect_as_login, suite_dsn
from apps.operations.models import Operation
from apps.operations.services.engine import run_operation
from apps.operations.services.sweep import sweep_operations
from config.testing.processes import StartWorker, wait_for

_DEATHS = (
    "before the commit",
    "after the commit",
    "before apply is recorded",
    "before the grants",
    "after the grants",
)


@pytest.mark.parametrize("death", _DEATHS)
def test_fault_14_a_worker_dies_in_a_migration_and_another_finishes_it_once(
    committed_database: str, make_database: Any, worker_process: StartWorker, death: str
) -> None:
    database = make_database()
    worker = worker_process(include="apps.databases.tests.dying_migrations", DIE_AT=death)
    request = request_migrations(
        workspace=database.workspace,
        migrations=[
            {"version": 1, "name": "a", "sql": "create table a (id int); insert into a values (1)"},
            {"version": 2, "name": "b", "sql": "insert into a values (2)"},
        ],
        actor=SYSTEM,
        now=timezone.now(),
    )
    assert wait_for(lambda: worker.process.poll() is not None, seconds=60), worker.read_log()
    # What 60 seconds without a heartbeat do.
    Operation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    sweep_operations(now=timezone.now())
    Operation.objects.update(next_attempt_at=timezone.now())
    assert request.operation_id is not None
    run_operation(operation_id=request.operation_id, owner="another", clock=timezone.now)
    operation = Operation.objects.get(pk=request.operation_id)
    assert (operation.status, operation.attempt, operation.error) == ("succeeded", 2, operation.error)
    assert [one["version"] for one in operation.result["applied"]] == [1, 2]
    with connect_as_login(database) as login:
        assert login.execute("SELECT id FROM a ORDER BY id").fetchall() == [(1,), (2,)]
    with psycopg.connect(suite_dsn(dbname=database.name)) as inside:
        assert inside.execute("SELECT version FROM apprun.migrations ORDER BY 1").fetchall() == [(1,), (2,)]
        row = inside.execute("SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = %s", [database.ddl_role])
        assert row.fetchone() == (False, None)
    database.refresh_from_db()
    assert database.revision == 2
    assert list(SchemaMigration.objects.values_list("version", flat=True)) == [1, 2]
    assert not SpaceReservation.objects.exists()
