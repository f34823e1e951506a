"""Rows of what is over are kept for a while, the others for good."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from apps.accounts.tests.factories import UserFactory
from apps.common.actors import SYSTEM
from apps.common.errors import IllegalTransition
from apps.common.ids import new_id
from apps.databases.models import Backup, KeptDatabase, MigrationRequest, Restore, WorkspaceDatabase
from apps.databases.models.kept_database import KeptOrigin
from apps.databases.models.restore import RestoreKind
from apps.databases.services.forgetting import forget_old_records
from apps.databases.services.migration_requests import request_migrations
from apps.databases.tests.factories import add_suite_server
from apps.operations.models import Operation
from apps.operations.services.requests import retry_operation
from apps.workspaces.tests.factories import create_test_workspace

pytestmark = pytest.mark.django_db

NOW = timezone.now()
BORDER = NOW - settings.DATABASE_RECORD_RETENTION
TICK = timedelta(microseconds=1)


@pytest.fixture
def database() -> WorkspaceDatabase:
    """A row that says it is ready; no test here looks behind it."""
    row: WorkspaceDatabase = WorkspaceDatabase.objects.create(
        workspace=create_test_workspace(owner=UserFactory()), server=add_suite_server(), name="wd", status="ready"
    )
    return row


def kept(database: WorkspaceDatabase, **fields: Any) -> KeptDatabase:
    told = {"name": f"k{new_id().hex}", "origin": KeptOrigin.COPY, "operation_id": new_id(), "keep_until": BORDER}
    row: KeptDatabase = KeptDatabase.objects.create(database=database, **{**told, **fields})
    return row


def backup(database: WorkspaceDatabase, **fields: Any) -> Backup:
    told = {"workspace_id": database.workspace_id, "storage_key": str(new_id()), "started_at": BORDER}
    row: Backup = Backup.objects.create(database=database, status="failed", **{**told, **fields})
    return row


def restore(database: WorkspaceDatabase, **fields: Any) -> Restore:
    told = {"workspace_id": database.workspace_id, "kind": RestoreKind.COPY, "operation_id": new_id()}
    row: Restore = Restore.objects.create(database=database, **{**told, **fields})
    return row


def migrations(database: WorkspaceDatabase, *, status: str) -> MigrationRequest:
    script = {"version": 1, "name": "one", "sql": "select 1"}
    asked = request_migrations(workspace=database.workspace, migrations=[script], actor=SYSTEM, now=NOW)
    ended = None if status == "queued" else NOW
    Operation.objects.filter(pk=asked.operation_id).update(status=status, finished_at=ended)
    return asked


def test_what_is_over_is_kept_up_to_the_border(database: WorkspaceDatabase) -> None:
    for beside in (-TICK, 0 * TICK, TICK):
        kept(database, dropped_at=BORDER + beside)
        backup(database, deleted_at=BORDER + beside)
        restore(database, settled_at=BORDER + beside)
    assert forget_old_records(now=NOW) == 3
    assert forget_old_records(now=NOW) == 0
    assert [model.objects.count() for model in (KeptDatabase, Backup, Restore)] == [2, 2, 2]


def test_what_is_not_over_stays_however_old_it_is(database: WorkspaceDatabase) -> None:
    there = (kept(database), backup(database), restore(database, settle_after=BORDER))
    type(there[0]).objects.update(created_at=BORDER - TICK)
    assert forget_old_records(now=NOW) == 0


def test_what_a_restore_names_goes_with_it_and_not_before(database: WorkspaceDatabase) -> None:
    gone = BORDER - TICK
    named = restore(database, backup=backup(database, deleted_at=gone), kept=kept(database, dropped_at=gone))
    kept(database, backup=backup(database, deleted_at=gone))
    assert forget_old_records(now=NOW) == 0
    Restore.objects.filter(pk=named.pk).update(settled_at=gone)
    assert forget_old_records(now=NOW) == 3
    assert (Backup.objects.count(), KeptDatabase.objects.count()) == (1, 1)


def test_migrations_that_wait_are_not_forgotten_and_a_retry_of_forgotten_ones_says_so(
    database: WorkspaceDatabase,
) -> None:
    failed = migrations(database, status="failed")
    waiting = migrations(database, status="queued")
    MigrationRequest.objects.update(created_at=BORDER - TICK)
    assert forget_old_records(now=NOW) == 1
    assert MigrationRequest.objects.get() == waiting
    Operation.objects.filter(pk=waiting.operation_id).delete()
    with pytest.raises(IllegalTransition, match="Send them again"):
        retry_operation(operation_id=failed.operation_id, actor=SYSTEM, now=NOW)
