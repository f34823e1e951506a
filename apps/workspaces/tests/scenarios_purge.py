"""What the purge of a workspace does that has all that one can have, for the test that kills its workers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.db import connection
from django.utils import timezone
from psycopg import sql

from apps.archives.models import WorkspaceExport
from apps.archives.services.exports import request_export
from apps.audit.models import AuditEvent
from apps.common.actors import SYSTEM
from apps.common.permissions import operator_grant, resolver
from apps.databases.clients.backup_store import store
from apps.databases.models import Backup, BackupSchedule, KeptDatabase, Restore, SchemaMigration
from apps.databases.services.backups.requests import request_backup
from apps.databases.services.migration_requests import request_migrations
from apps.databases.services.restores.requests import request_restore
from apps.databases.services.rotation import rotate_secret
from apps.databases.tests.factories import connect_as_login, run_at_once
from apps.databases.tests.scenarios import DatabaseScenario
from apps.events.models import Event
from apps.operations.models import Operation
from apps.workspaces.models import DueWork, SlugHold, Workspace
from apps.workspaces.services import purge
from apps.workspaces.services.lifecycle import close_workspace, settle_closing_workspaces
from apps.workspaces.tests.scenarios import require_no_orphans, schema_exists
from config.testing.scenarios import Point, scenario_of

#: What the platform itself keeps of a purged workspace: its row, emptied; its trail; the purge's operation, with the
#: turn that goes with it; and the events that tell of the end, until everybody has had them.
_STAYS = {
    "workspaces_workspace",
    "audit_auditevent",
    "operations_operation",
    "operations_workspaceturn",
    "events_event",
}


@scenario_of("workspaces.purge")
class Purge(DatabaseScenario):
    """On a workspace with a database, backups, a copy of the database beside it, an export, and work that is due."""

    points = (
        Point("purge_archives", "file gone, row there", "apps.archives.services.forgetting.discard", behind=True),
        Point("purge_databases", "closed, not dropped", "apps.databases.services.deletion.drop_from_server"),
        Point("purge_databases", "dropped, not forgotten", "apps.databases.services.deletion.forget_database"),
        Point(
            "purge_backups",
            "files gone, rows there",
            "apps.databases.services.backups.expiry.delete_folder",
            behind=True,
        ),
        Point("drop_schema", "dropped", "apps.workspaces.services.purge.drop_schema", behind=True),
        Point("forget", "emptied, not committed", "apps.workspaces.services.purge.record_life", behind=True),
    )

    def make(self) -> None:
        super().make()
        workspace, now = self.workspace, timezone.now()
        self._act(
            lambda: Operation.objects.get(
                pk=request_migrations(
                    workspace=workspace,
                    migrations=[{"version": 1, "name": "notes", "sql": "CREATE TABLE app.note (id int PRIMARY KEY)"}],
                    actor=SYSTEM,
                    now=now,
                ).operation_id
            )
        )
        self._act(lambda: request_backup(workspace=workspace, actor=SYSTEM, now=now))
        backup = Backup.objects.get(database=self.database)
        self._act(
            lambda: Operation.objects.get(
                pk=request_restore(workspace=workspace, backup_id=backup.pk, into_new=True, actor=SYSTEM, now=now)
            )
        )
        self._act(lambda: request_export(workspace=workspace, actor=SYSTEM, now=now))
        export = WorkspaceExport.objects.get(workspace=workspace)
        self._leave_strays(backup)
        self._refuse_somebody()
        waiting = rotate_secret(workspace=workspace, actor=SYSTEM, now=now)
        Operation.objects.filter(pk=waiting.pk).update(next_attempt_at=now + timedelta(hours=1))
        self.place.stack.enter_context(connect_as_login(self.database))

        self.slug, self.schema_name = workspace.slug, workspace.schema_name
        self.database.refresh_from_db()
        self.secrets = [self.database.secret, backup.sealed_key, export.sealed_key]
        self.ids = [workspace.pk, self.database.pk, backup.pk, export.pk]
        self._require_all()
        self._close(now)

    def _act(self, ask: Any) -> None:
        operation = run_at_once(ask)
        ended = {"status": "succeeded", "finished_at": timezone.now()}
        Operation.objects.filter(pk=operation.pk).update(**ended)

    def _leave_strays(self, backup: Backup) -> None:
        """What workers left that were killed: a file that no row names, and one that is half-written."""
        store().save(f"{backup.storage_key}-stray/dump-1.zst.sealed", ContentFile(b"stray"))
        part = Path(store().path(f"{backup.storage_key}/.dump-2.zst.sealed.x.part"))
        part.write_bytes(b"half")

    def _refuse_somebody(self) -> None:
        grant = operator_grant(self.workspace)
        resolver().record_refusal(
            actor=SYSTEM, code="apps.view", action="GET", target="/", grant=grant, reason="", status=402
        )

    def _require_all(self) -> None:
        """That there is something to be deleted wherever something can be."""
        for rows in (Backup, BackupSchedule, KeptDatabase, Restore, SchemaMigration):
            assert rows.objects.filter(database=self.database).exists(), rows
        assert DueWork.objects.filter(workspace=self.workspace).exists()
        assert len(self.names_on_server()[0]) == 2
        assert len(self._files()) > 3
        assert self._tables_that_tell() >= _STAYS - {"operations_workspaceturn"} | {"access_decision"}

    def _tables_that_tell(self) -> set[str]:
        """The tables of the public schema with a row in which one of the ids, or a sealed key, stands anywhere."""
        needles = [text for one in self.ids for text in (str(one), one.hex)] + self.secrets
        needle = sql.SQL("SELECT FROM unnest(%s::text[]) AS needle WHERE strpos(one::text, needle) > 0")
        found = set()
        with connection.cursor() as cursor:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            for (name,) in cursor.fetchall():
                table = sql.Identifier("public", name)
                told = sql.SQL("SELECT 1 FROM {} AS one WHERE EXISTS ({}) LIMIT 1").format(table, needle)
                cursor.execute(told, [needles])
                if cursor.fetchone():
                    found.add(name)
        return found

    def _files(self) -> list[Path]:
        """Whatever bears the name of the database, the backup, the export or one of the operations, folders too."""
        operations = Operation.objects.of_workspace(self.workspace.pk).values_list("pk", flat=True)
        names = {text for one in (*self.ids, *operations) for text in (str(one), one.hex)}
        folders = (store().path(""), settings.DATABASE_RESTORE_FOLDER, settings.BACKUP_SCRATCH_FOLDER)
        return [
            path for folder in folders for path in Path(folder).rglob("*") if any(name in path.name for name in names)
        ]

    def _close(self, now: Any) -> None:
        close_workspace(workspace_id=self.workspace.pk, actor=SYSTEM, now=now)
        # The database is closed by an operation of its own; a purge that met it would wait for its end.
        self.await_worker(self.requested("databases.admit", self.database.pk))
        settle_closing_workspaces(now=now)
        Workspace.objects.filter(pk=self.workspace.pk).update(purge_after=now - timedelta(seconds=1))
        Event.objects.filter(workspace_id=self.workspace.pk).update(relayed_at=now)

    def ask(self) -> Any:
        assert purge.purge_due_workspaces(now=timezone.now()) == 1
        return self.requested("workspaces.purge", self.workspace.pk)

    def check_done(self, operation: Any) -> None:
        self.workspace.refresh_from_db()
        assert self.workspace.status == "purged"
        assert not schema_exists(self.schema_name)
        assert self.names_on_server() == (set(), set())
        assert self._files() == []
        assert self._tables_that_tell() <= _STAYS
        assert list(Operation.objects.of_workspace(self.workspace.pk)) == [operation]
        told = Event.objects.filter(workspace_id=self.workspace.pk).values_list("type", flat=True)
        assert sorted(told) == ["database.deleted", "workspace.purged"]
        assert SlugHold.objects.filter(slug=self.slug).count() == 1
        purged = AuditEvent.objects.filter(action="workspace.purge", target_id=str(self.workspace.pk))
        assert purged.count() == 1
        require_no_orphans()
