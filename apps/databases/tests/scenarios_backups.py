"""What backups and their proofs do, for the test that kills their workers."""

from __future__ import annotations

from typing import Any

import psycopg
from django.utils import timezone

from apps.common.actors import SYSTEM
from apps.databases.clients.backup_store import store
from apps.databases.models import Backup
from apps.databases.services.backups.files import open_backup
from apps.databases.services.backups.requests import request_backup, request_prove
from apps.databases.services.servers import open_server
from apps.databases.tests.factories import connect_as_login
from apps.databases.tests.scenarios import DatabaseScenario
from config.testing.scenarios import Point, scenario_of

_TAKING = "apps.databases.services.backups.taking"
_PROVING = "apps.databases.services.backups.proving"


class BackupScenario(DatabaseScenario):
    """On a database with some rows."""

    def make(self) -> None:
        super().make()
        with open_server(self.database.server, database=self.database.name) as inside:
            inside.execute(f"SET ROLE {self.database.ddl_role}")
            inside.execute("CREATE TABLE app.backed_up AS SELECT generate_series(1, 5000) AS id")

    def check_while_dead(self) -> None:
        """Clients work, and there is no backup that isn't one."""
        with connect_as_login(self.database) as login:
            assert login.execute("SELECT count(*) FROM backed_up").fetchone() == (5000,)
        for backup in Backup.objects.filter(database=self.database).usable():
            _read(backup)

    def scratch(self) -> set[str]:
        """Databases and logins that a proof makes."""
        databases, roles = self.names_on_server()
        stem = f"{self.database.prefix}_p"
        return {name for name in databases | roles if name.startswith(stem)}


@scenario_of("databases.backup")
class BackUp(BackupScenario):
    points = (
        Point("dump", "half way", "apps.databases.clients.sealed_dump.PgDump.read", call=2),
        Point("dump", "stored, not written down", f"{_TAKING}.save_file", behind=True),
        Point("manifest", "manifest written", f"{_TAKING}.save_manifest", behind=True),
        Point("record", "stored, nothing expired yet", "apps.databases.services.backups.steps.expire_superfluous"),
    )

    def ask(self) -> Any:
        return request_backup(workspace=self.workspace, actor=SYSTEM, now=timezone.now())

    def check_done(self, operation: Any) -> None:
        backup = Backup.objects.get(database=self.database)
        assert backup.status == "stored"
        names = store().listdir(backup.storage_key)[1]
        assert sorted(names) == sorted([backup.manifest["file"], "manifest.json"]), "nothing of the dead one is left"
        _read(backup)
        assert self.events("backup.stored") == 1


@scenario_of("databases.prove")
class Prove(BackupScenario):
    points = (
        Point("load", "scratch database made", f"{_PROVING}.create_closed_database", behind=True),
        Point("load", "loaded, login not dropped", f"{_PROVING}.load_dump", behind=True),
    )

    def make(self) -> None:
        super().make()
        self.await_worker(request_backup(workspace=self.workspace, actor=SYSTEM, now=timezone.now()))

    def ask(self) -> Any:
        backup = Backup.objects.get(database=self.database)
        return request_prove(workspace=self.workspace, backup_id=backup.pk, actor=SYSTEM, now=timezone.now())

    def check_while_dead(self) -> None:
        super().check_while_dead()
        for name in self.scratch():
            try:
                with connect_as_login(self.database, dbname=name):
                    raise AssertionError("a login of the workspace came into a scratch database")
            except psycopg.OperationalError:
                continue

    def check_done(self, operation: Any) -> None:
        backup = Backup.objects.get(database=self.database)
        assert (backup.status, operation.result["status"]) == ("proved", "proved")
        self.require_no_orphans()
        assert self.events("backup.proved") == 1


def _read(backup: Backup) -> None:
    with open_backup(backup) as dump:
        while dump.read(1 << 20):
            pass
