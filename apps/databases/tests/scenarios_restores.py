"""What restores do, for the test that kills their workers: at each step, and at each line of the swap."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from apps.billing.tests.factories import quota_of
from apps.common.actors import SYSTEM
from apps.databases.models import Backup, KeptDatabase, Restore
from apps.databases.services.backups.requests import request_backup
from apps.databases.services.restores.requests import request_restore, request_swap_back
from apps.databases.services.restores.swapping import open_overdue_fences
from apps.databases.tests.factories import connect_as_login
from apps.databases.tests.scenarios import DatabaseScenario
from apps.databases.tests.test_swap import ask, run
from apps.operations.models import Operation
from config.testing.scenarios import Point, scenario_of

_RESTORES = "apps.databases.services.restores"
_LOADING = (Point("load", "loaded, its login still there", f"{_RESTORES}.loading.load_dump", behind=True),)
_SWAPPING = (
    Point("swap", "written down, not fenced", f"{_RESTORES}.swapping.fence"),
    Point("swap", "fenced, sessions there", f"{_RESTORES}.swapping.end_sessions"),
    Point("swap", "between the fence and the renames", f"{_RESTORES}.swapping.exchange"),
    Point("swap", "renamed, fence still written down", f"{_RESTORES}.swapping.exchange", behind=True),
    Point("record", "recorded, not committed", f"{_RESTORES}.records.emit_event", behind=True),
    Point("tidy", "old one open, not settled", f"{_RESTORES}.settling.open_for_reading", behind=True),
)


class RestoreScenario(DatabaseScenario):
    """A database with 100 notes, a backup of them, and 5 more notes since."""

    def make(self) -> None:
        super().make()
        run(
            self.database.name,
            f'SET ROLE "{self.database.ddl_role}"',
            "CREATE TABLE app.note (id int PRIMARY KEY); INSERT INTO app.note SELECT generate_series(1, 100)",
        )
        operation = request_backup(workspace=self.workspace, actor=SYSTEM, now=timezone.now())
        self.await_worker(operation)
        self.backup = Backup.objects.get(pk=operation.params["backup"])
        run(self.database.name, "INSERT INTO app.note SELECT generate_series(1001, 1005)")

    def request(self, **options: Any) -> Operation:
        operation_id = request_restore(
            workspace=self.workspace, backup_id=self.backup.pk, actor=SYSTEM, now=timezone.now(), **options
        )
        return Operation.objects.get(pk=operation_id)

    def check_while_dead(self) -> None:
        """Long before the lease runs out, clients are let in: to the old one, or already to the restored one."""
        open_overdue_fences(now=timezone.now() + settings.DATABASE_FENCE_MAX + timedelta(seconds=1))
        self.database.refresh_from_db()
        with connect_as_login(self.database) as client:
            assert client.execute("SELECT count(*) FROM app.note").fetchone() in {(105,), (100,)}

    def require_settled(self, operation: Operation, *, live: int, kept: int) -> None:
        """The live database and the kept one have so many notes, and nothing else is left."""
        row = KeptDatabase.objects.get(operation_id=operation.pk)
        self.require_login()
        assert self.notes(self.database.name) == live
        assert self.notes(row.name) == kept
        self.require_no_orphans(row.name)
        restore = Restore.objects.get(operation_id=operation.pk)
        assert restore.settled_at is not None
        assert restore.fenced_until is None
        assert quota_of(self.database.workspace, "database.bytes").reserved == 0
        assert not list(Path(settings.DATABASE_RESTORE_FOLDER).glob(f"{operation.pk}*"))

    def notes(self, name: str) -> int:
        return int(ask(name, "SELECT count(*) FROM app.note")[0][0])


@scenario_of("databases.restore")
class RestoreInPlace(RestoreScenario):
    points = (*_LOADING, *_SWAPPING)

    def ask(self) -> Any:
        return self.request()

    def check_done(self, operation: Any) -> None:
        self.require_settled(operation, live=100, kept=105)
        assert self.events("database.restored") == 1
        assert Backup.objects.usable().filter(database=self.database, kind="before_restore").count() == 1


@scenario_of("databases.restore_copy")
class RestoreCopy(RestoreScenario):
    points = (
        *_LOADING,
        Point("keep", "renamed, not opened", f"{_RESTORES}.steps.open_for_reading"),
        Point("keep", "recorded, not settled", f"{_RESTORES}.steps.settle_restore"),
    )

    def ask(self) -> Any:
        return self.request(into_new=True)

    def check_done(self, operation: Any) -> None:
        self.require_settled(operation, live=105, kept=100)
        assert self.events("database.copied") == 1
        assert self.events("database.restored") == 0


@scenario_of("databases.swap_back")
class SwapBack(RestoreScenario):
    points = _SWAPPING

    def make(self) -> None:
        super().make()
        operation = self.request()
        self.await_worker(operation)
        self.kept = KeptDatabase.objects.get(operation_id=operation.pk)

    def ask(self) -> Any:
        operation_id = request_swap_back(
            workspace=self.workspace, kept_id=self.kept.pk, actor=SYSTEM, now=timezone.now()
        )
        return Operation.objects.get(pk=operation_id)

    def check_done(self, operation: Any) -> None:
        self.require_settled(operation, live=105, kept=100)
        self.kept.refresh_from_db()
        assert self.kept.dropped_at is not None
        assert self.events("database.restored") == 2
