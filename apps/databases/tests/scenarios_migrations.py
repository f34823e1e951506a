"""What a migration of a database does, for the test that kills its workers."""

from __future__ import annotations

from typing import Any

import psycopg
from django.utils import timezone

from apps.accounts.tests.factories import UserFactory
from apps.billing.tests.factories import quota_of
from apps.common.actors import SYSTEM
from apps.databases.clients.backup_store import store
from apps.databases.models import Backup, SchemaMigration, WorkspaceDatabase
from apps.databases.services.migration_requests import request_migrations
from apps.databases.services.servers import open_server
from apps.databases.tests.factories import (
    add_suite_server,
    connect_as_login,
    dropping_databases,
    provision,
    suite_dsn,
)
from apps.operations.models import Operation
from apps.workspaces.tests.factories import create_test_workspace
from config.testing.scenarios import Point, Scenario, scenario_of

_TAKING = "apps.databases.services.backups.taking"
_STEPS = "apps.databases.services.migration_steps"
_SCRIPTS = (
    "create table made (id int); insert into made values (0)",
    "insert into made values (1)",
    "insert into made values (2)",
)


@scenario_of("databases.migrate")
class Migrate(Scenario):
    points = (
        Point("backup", "dumped, not written down", f"{_TAKING}.save_file", behind=True),
        Point("backup", "stored, its id not told", f"{_STEPS}.back_up_now", behind=True),
        Point("apply", "in the middle of the second", f"{_STEPS}.write_record", call=2),
        # The first call is the one at the beginning.
        Point("apply", "second committed, not recorded here", f"{_STEPS}._mirror", call=3),
        Point("settle", "granted, not measured", f"{_STEPS}.bound_growth", behind=True),
    )
    database: WorkspaceDatabase

    def prepare(self) -> None:
        self.place.stack.enter_context(dropping_databases())
        add_suite_server()
        self.database = provision(create_test_workspace(owner=UserFactory()))
        with open_server(self.database.server, database=self.database.name) as inside:
            inside.execute(f"SET ROLE {self.database.ddl_role}")
            inside.execute("CREATE TABLE app.there AS SELECT generate_series(1, 5000) AS id")

    def ask(self) -> Any:
        request = request_migrations(
            workspace=self.database.workspace,
            migrations=[{"version": n, "name": f"step {n}", "sql": text} for n, text in enumerate(_SCRIPTS, start=1)],
            actor=SYSTEM,
            now=timezone.now(),
        )
        return Operation.objects.get(pk=request.operation_id)

    def check_while_dead(self) -> None:
        """The login works, and what is there is a whole number of migrations."""
        with connect_as_login(self.database) as login:
            if login.execute("SELECT to_regclass('made')").fetchone() != (None,):
                rows = login.execute("SELECT id FROM made ORDER BY id").fetchall()
                assert rows == [(n,) for n in range(len(rows))]

    def check_done(self, operation: Any) -> None:
        self.database.refresh_from_db()
        assert [one["version"] for one in operation.result["applied"]] == [1, 2, 3]
        assert (operation.result["skipped"], self.database.revision) == ([], 3)
        with connect_as_login(self.database) as login:
            assert login.execute("SELECT id FROM made ORDER BY id").fetchall() == [(0,), (1,), (2,)]
        with psycopg.connect(suite_dsn(dbname=self.database.name)) as inside:
            assert inside.execute("SELECT version FROM apprun.migrations ORDER BY 1").fetchall() == [(1,), (2,), (3,)]
            role = [self.database.ddl_role]
            row = inside.execute("SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = %s", role).fetchone()
            assert row == (False, None), "nobody can log in as the owner"
        versions = SchemaMigration.objects.filter(database=self.database).values_list("version", flat=True)
        assert list(versions) == [1, 2, 3]
        backup = Backup.objects.get(database=self.database)
        assert (str(backup.pk), backup.kind, backup.status) == (operation.result["before"], "before_migrate", "stored")
        assert (backup.rows, backup.revision) == (5000, 0), "of the moment before the first migration"
        names = store().listdir(backup.storage_key)[1]
        assert sorted(names) == sorted([backup.manifest["file"], "manifest.json"]), "nothing of the dead one is left"
        assert quota_of(self.database.workspace, "database.bytes").reserved == 0
