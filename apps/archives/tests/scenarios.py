"""What exports and imports do, for the test that kills their workers."""

from __future__ import annotations

import hashlib
import io
from typing import Any

from django.db import connection
from django.utils import timezone

from apps.accounts.tests.factories import UserFactory
from apps.archives.models import WorkspaceExport, WorkspaceImport
from apps.archives.services.exports import open_download, request_export
from apps.archives.services.imports import ReceivedArchive, request_import
from apps.archives.services.reading import check_archive
from apps.archives.services.storing import archive_storage, sealing_writer, spool
from apps.archives.services.writing import write_archive
from apps.archives.tests.factories import publish_public_app
from apps.audit.models import AuditEvent
from apps.common.actors import SYSTEM
from apps.common.ids import new_id
from apps.common.tenancy import enter
from apps.events.models import Event
from apps.workspaces.models import Workspace
from apps.workspaces.selectors.portraits import portrait_of
from apps.workspaces.tests.factories import create_test_workspace
from config.testing.scenarios import Point, Scenario, scenario_of


@scenario_of("workspaces.export")
class Export(Scenario):
    points = (
        Point("write", "stored, not written down", "apps.archives.services.exports.store", behind=True),
        Point("prove", "read back", "apps.archives.services.exports.read_stored", behind=True),
    )
    workspace: Workspace

    def prepare(self) -> None:
        self.workspace = create_test_workspace(owner=UserFactory())
        publish_public_app(self.workspace)

    def ask(self) -> Any:
        return request_export(workspace=self.workspace, actor=SYSTEM, now=timezone.now())

    def check_while_dead(self) -> None:
        row = WorkspaceExport.objects.get(workspace=self.workspace)
        if row.status == "ready":
            self._download(row)

    def check_done(self, operation: Any) -> None:
        row = WorkspaceExport.objects.get(workspace=self.workspace)
        assert operation.result["sha256"] == row.sha256
        self._download(row)
        stored = [name for name in archive_storage().listdir("exports")[1] if name.startswith(str(row.pk))]
        assert [f"exports/{name}" for name in stored] == [row.storage_name]
        assert Event.objects.filter(type="workspace.exported", workspace_id=self.workspace.pk).count() == 1

    def _download(self, row: WorkspaceExport) -> None:
        found, pieces = open_download(workspace=self.workspace, export_id=row.pk, actor=SYSTEM, now=timezone.now())
        archive = b"".join(pieces)
        assert hashlib.sha256(archive).hexdigest() == found.sha256
        assert check_archive(io.BytesIO(archive)).manifest.rows == found.rows


@scenario_of("workspaces.import")
class Import(Scenario):
    points = (
        Point("load", "loaded, not a workspace", "apps.archives.services.imports.adopt_workspace"),
        Point("load", "a workspace, not committed", "apps.archives.services.imports.adopt_workspace", behind=True),
        Point("tidy", "deleted, not written down", "apps.archives.services.imports.discard", behind=True),
    )
    row: WorkspaceImport

    def prepare(self) -> None:
        self.owner: Any = UserFactory()
        source = create_test_workspace(owner=self.owner)
        publish_public_app(source)
        identifier, now = new_id(), timezone.now()
        file = self.place.stack.enter_context(spool())
        with sealing_writer(file, model="archives.WorkspaceImport", key=str(identifier)) as sealed:
            _, container = write_archive(
                sealed, schema_name=source.schema_name, describe=lambda: portrait_of(source.pk), now=now
            )
        self.archive = ReceivedArchive(identifier, file, sealed.sealed_key, container.size, container.sha256)

    def ask(self) -> Any:
        operation = request_import(archive=self.archive, owner=self.owner, actor=SYSTEM, now=timezone.now())
        self.row = WorkspaceImport.objects.get(pk=self.archive.identifier)
        return operation

    def check_while_dead(self) -> None:
        """The workspace as a whole, or not a trace of it."""
        self.row.refresh_from_db()
        made = self.row.status == "imported"
        assert Workspace.objects.filter(pk=self.row.workspace_id).exists() == made
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [f"ws_{self.row.workspace_id.hex}"])
            assert (cursor.fetchone() is not None) == made

    def check_done(self, operation: Any) -> None:
        self.row.refresh_from_db()
        copy = Workspace.objects.get(pk=self.row.workspace_id)
        assert (copy.status, self.row.status, copy.owner_id) == ("active", "imported", self.owner.pk)
        assert operation.result["workspace"] == str(copy.pk)
        assert Workspace.objects.filter(owner=self.owner, name=copy.name).count() == 2
        assert Event.objects.filter(type="workspace.imported", workspace_id=copy.pk).count() == 1
        with enter(copy):
            assert AuditEvent.objects.filter(action="workspace.import").count() == 1
        left = [name for name in archive_storage().listdir("imports")[1] if name.startswith(str(self.row.pk))]
        assert left == []
