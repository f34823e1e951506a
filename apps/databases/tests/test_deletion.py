"""Deleting a database: closed at once, undone within the grace, then gone with everything that was made for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from apps.common.actors import SYSTEM
from apps.common.errors import IllegalTransition, Unavailable
from apps.databases.errors import DatabaseNotFound, GraceOver
from apps.databases.models import Backup, DatabaseServer, WorkspaceDatabase
from apps.databases.services.backups.requests import request_backup
from apps.databases.services.deletion import (
    delete_database,
    purge_databases,
    request_due_deletions,
    undelete_database,
)
from apps.databases.services.provisioning import create_database, mark_failed, mark_provisioning
from apps.databases.services.rotation import rotate_secret
from apps.databases.services.servers import open_server
from apps.databases.states import DatabaseStatus
from apps.databases.tests.factories import connect_as_login, forget_step, run_steps
from apps.operations.errors import StepFailed
from apps.operations.models import Operation
from apps.operations.services.contexts import context_of
from apps.workspaces.models import Workspace
from apps.workspaces.services.lifecycle import close_workspace, restore_workspace
from apps.workspaces.services.purge import purge_due_workspaces


def delete(database: WorkspaceDatabase) -> None:
    run_steps(delete_database(workspace=database.workspace, actor=SYSTEM, now=timezone.now()))
    database.refresh_from_db()


def left_on(server: DatabaseServer, database: WorkspaceDatabase) -> list[str]:
    query = (
        "SELECT datname FROM pg_database WHERE starts_with(datname::text, %(stem)s)"
        " UNION ALL SELECT rolname FROM pg_roles WHERE starts_with(rolname::text, %(stem)s)"
    )
    with open_server(server) as connection:
        return [row[0] for row in connection.execute(query, {"stem": database.prefix}).fetchall()]


def test_nobody_gets_in_during_the_grace_and_nothing_is_lost(make_database: Any) -> None:
    database = make_database()
    with connect_as_login(database) as client:
        delete(database)
        assert database.status == DatabaseStatus.DELETING
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            connect_as_login(database)
    run_steps(undelete_database(workspace=database.workspace, actor=SYSTEM, now=timezone.now()))
    with connect_as_login(database):
        pass


def test_behind_the_grace_nothing_is_left(make_database: Any) -> None:
    database = make_database()
    delete(database)
    WorkspaceDatabase.objects.filter(pk=database.pk).update(delete_after=timezone.now())
    with pytest.raises(GraceOver):
        undelete_database(workspace=database.workspace, actor=SYSTEM, now=timezone.now())
    with open_server(database.server) as server:
        server.execute(f'CREATE DATABASE "{database.name}_k1" TEMPLATE template0')
    assert request_due_deletions(now=timezone.now()) == 1
    operation = Operation.objects.get(kind="databases.delete")
    for step in ("begin", "drop", "forget"):
        run_steps(operation)
        forget_step(operation, step)
        run_steps(operation)
        database.refresh_from_db()
        assert (database.status, database.secret, database.next_secret) == (DatabaseStatus.DELETED, "", "")
        assert left_on(database.server, database) == []
    make_database(database.workspace)  # a new one may be made


def test_early_deletion_is_refused(make_database: Any) -> None:
    database = make_database()
    delete(database)
    assert request_due_deletions(now=timezone.now()) == 0
    with pytest.raises(IllegalTransition):
        delete_database(workspace=database.workspace, actor=SYSTEM, now=timezone.now())
    early = Operation(kind="databases.delete", target_id=str(database.pk), steps=[{"name": "begin", "done_at": None}])
    with pytest.raises(StepFailed):
        run_steps(early)
    assert left_on(database.server, database)


@pytest.mark.parametrize("step", ["make_roles", "make_database", "establish"])
def test_fault_51_what_failed_halfway_leaves_no_orphans_when_it_is_deleted(
    database_server: Any, workspace: Any, step: str
) -> None:
    operation = create_database(workspace=workspace, actor=SYSTEM, now=timezone.now())
    run_steps(operation, until=step)
    mark_failed(context_of(operation, clock=timezone.now))
    database = WorkspaceDatabase.objects.get(pk=operation.target_id)
    assert left_on(database_server, database)
    run_steps(delete_database(workspace=workspace, actor=SYSTEM, now=timezone.now()))
    assert left_on(database_server, database) == []
    with pytest.raises(DatabaseNotFound):
        delete_database(workspace=workspace, actor=SYSTEM, now=timezone.now())


@pytest.mark.parametrize("step", ["make_roles", "make_database", "establish", "publish"])
def test_fault_51_died_behind_a_step_the_retry_converges(database_server: Any, workspace: Any, step: str) -> None:
    operation = create_database(workspace=workspace, actor=SYSTEM, now=timezone.now())
    run_steps(operation, until=step)
    forget_step(operation, step)
    mark_failed(context_of(operation, clock=timezone.now))
    if step != "publish":
        mark_provisioning(context_of(operation, clock=timezone.now))
    run_steps(operation)
    database = WorkspaceDatabase.objects.select_related("server").get(pk=operation.target_id)
    assert database.status == DatabaseStatus.READY
    assert len(left_on(database_server, database)) == 1 + 5
    with connect_as_login(database):
        pass


def test_closed_workspace_lets_nobody_in_and_a_restored_one_does(make_database: Any) -> None:
    database = make_database()
    close_workspace(workspace_id=database.workspace_id, actor=SYSTEM, now=timezone.now())
    run_steps(Operation.objects.get(kind="databases.admit"))
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        connect_as_login(database)
    Operation.objects.all().delete()
    restore_workspace(workspace_id=database.workspace_id, actor=SYSTEM, now=timezone.now())
    run_steps(Operation.objects.get(kind="databases.admit"))
    with connect_as_login(database):
        pass


def test_fault_9_purge_waits_for_what_runs_and_leaves_nothing(make_database: Any) -> None:
    database = make_database()
    rotation = rotate_secret(workspace=database.workspace, actor=SYSTEM, now=timezone.now())
    Operation.objects.filter(pk=rotation.pk).update(status="running")
    close_workspace(workspace_id=database.workspace_id, actor=SYSTEM, now=timezone.now())
    Workspace.objects.filter(pk=database.workspace_id).update(status="closed", purge_after=timezone.now())
    assert purge_due_workspaces(now=timezone.now()) == 1
    purge = Operation.objects.get(kind="workspaces.purge")
    with pytest.raises(Unavailable, match="still running"):
        run_steps(purge)
    assert left_on(database.server, database)
    Operation.objects.filter(pk=rotation.pk).update(status="canceled")
    run_steps(purge, until="purge_databases")
    assert left_on(database.server, database) == []
    assert not Operation.objects.pending().of_workspace(database.workspace_id).exclude(pk=purge.pk).exists()


def test_purge_leaves_nothing(make_database: Any) -> None:
    database = make_database()
    for _ in range(2):
        purge_databases(workspace_id=database.workspace_id, now=timezone.now())
    database.refresh_from_db()
    assert database.status == DatabaseStatus.DELETED
    assert left_on(database.server, database) == []


def test_what_is_asked_for_while_a_workspace_is_purged_is_stopped_too(make_database: Any, backup_folder: Path) -> None:
    earlier = make_database()
    purge_databases(workspace_id=earlier.workspace_id, now=timezone.now())
    database = make_database(workspace=earlier.workspace)
    close_workspace(workspace_id=database.workspace_id, actor=SYSTEM, now=timezone.now())
    Workspace.objects.filter(pk=database.workspace_id).update(status="closed", purge_after=timezone.now())
    purge_due_workspaces(now=timezone.now())
    purge = Operation.objects.get(kind="workspaces.purge")
    run_steps(purge, until="stop_work")
    late = request_backup(workspace=database.workspace, actor=SYSTEM, now=timezone.now())
    Operation.objects.filter(pk=late.pk).update(status="running")
    with pytest.raises(Unavailable, match="still running"):
        run_steps(purge)
    Operation.objects.filter(pk=late.pk).update(status="failed")
    run_steps(purge, until="purge_database_records")
    assert left_on(database.server, database) == []
    assert not WorkspaceDatabase.objects.of_workspace(database.workspace_id).exists()
    assert not Backup.objects.of_workspace(database.workspace_id).exists()
    with pytest.raises(DatabaseNotFound):
        request_backup(workspace=database.workspace, actor=SYSTEM, now=timezone.now())
