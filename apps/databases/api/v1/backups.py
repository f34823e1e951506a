"""Backups and their schedule over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from apps.common.api.outputs import Accepted, Listing, Raw
from apps.common.api.views import ApiViewSet
from apps.databases.api.v1.backup_filters import BackupFilters
from apps.databases.api.v1.backup_serializers import (
    BackupOutput,
    ChangeSchedule,
    MakeBackup,
    ProveBackup,
    ScheduleOutput,
)
from apps.databases.selectors.backups import backups_of
from apps.databases.services.backups.downloads import open_download
from apps.databases.services.backups.requests import delete_backup, find_backup, request_backup, request_prove
from apps.databases.services.backups.schedules import change_schedule, find_schedule


class BackupViewSet(ApiViewSet):
    """The backups of the workspace's database."""

    required = {
        "create": "backups.create",
        "list": "backups.view",
        "retrieve": "backups.view",
        "destroy": "backups.manage",
        "prove": "backups.create",
        "download": "backups.download",
    }
    inputs = {"create": MakeBackup, "prove": ProveBackup}
    outputs = {
        "create": Accepted(),
        "list": Listing(BackupOutput, orders=("-started_at", "size_bytes"), filters=BackupFilters),
        "retrieve": BackupOutput,
        "destroy": None,
        "prove": Accepted(),
        "download": Raw("application/octet-stream", "The dump in the custom format of pg_dump, for pg_restore."),
    }
    # Whoever leaves takes their data along.
    allowed_when_not_active = frozenset({"destroy"})

    def create(self, request: Request, workspace: str) -> Response:
        """Back up the database now: 402 when the plan has no room, 409 when no pg_dump here fits its server."""
        given = self.read()
        return self.accepted(request_backup(workspace=self.workspace, actor=self.actor, now=self.now, **given).pk)

    def list(self, request: Request, workspace: str) -> Response:
        """All backups, also of databases that were deleted, newest first."""
        return self.page(backups_of(self.workspace.pk))

    def retrieve(self, request: Request, workspace: str, backup: UUID) -> Response:
        return self.answer(find_backup(workspace_id=self.workspace.pk, backup_id=backup))

    def destroy(self, request: Request, workspace: str, backup: UUID) -> Response:
        """Delete a backup. The last one that was proved restorable can't be."""
        delete_backup(workspace=self.workspace, backup_id=backup, actor=self.actor, now=self.now)
        return self.nothing()

    def prove(self, request: Request, workspace: str, backup: UUID) -> Response:
        """Restore it into a scratch database and compare every table; it becomes `proved` or `unusable`."""
        self.read()
        operation = request_prove(workspace=self.workspace, backup_id=backup, actor=self.actor, now=self.now)
        return self.accepted(operation.pk)

    def download(self, request: Request, workspace: str, backup: UUID) -> Any:
        """The dump itself, decrypted. Each download is in the trail."""
        found, pieces = open_download(workspace=self.workspace, backup_id=backup, actor=self.actor, now=self.now)
        return dump_response(found, pieces, slug=self.workspace.slug)


class BackupScheduleViewSet(ApiViewSet):
    """When the database is backed up by itself."""

    required = {"retrieve": "backups.view", "partial_update": "backups.manage"}
    inputs = {"partial_update": ChangeSchedule}
    outputs = {"retrieve": ScheduleOutput, "partial_update": ScheduleOutput}
    conditional = {"partial_update": "optional"}

    def retrieve(self, request: Request, workspace: str) -> Response:
        """Daily, unless changed."""
        return self.answer(find_schedule(workspace_id=self.workspace.pk, now=self.now))

    def partial_update(self, request: Request, workspace: str) -> Response:
        """Change the times (cron, as Debian's cron understands them, in a time zone) and what is kept."""
        return self.answer(
            change_schedule(
                workspace=self.workspace, actor=self.actor, now=self.now, expected=self.expected, **self.read()
            )
        )


def dump_response(backup: Any, pieces: Any, *, slug: str) -> StreamingHttpResponse:
    """The file. One that breaks off is shorter than its Content-Length: no client takes it for whole."""
    response = StreamingHttpResponse(pieces, content_type="application/octet-stream")
    response["Content-Length"] = str(backup.manifest["dump_bytes"])
    # Not to be compressed on the way: its length is told.
    response["Content-Encoding"] = "identity"
    response["Content-Disposition"] = f'attachment; filename="{slug}-{backup.started_at:%Y%m%d-%H%M}.dump"'
    return response


_HERE = "workspaces/<str:workspace>"
_ONE = f"{_HERE}/backups/<uuid:backup>"

BACKUP_PATHS = [
    path(f"{_HERE}/database/backup", BackupViewSet.as_view({"post": "create"})),
    path(f"{_HERE}/database/backups", BackupViewSet.as_view({"get": "list"})),
    path(_ONE, BackupViewSet.as_view({"get": "retrieve", "delete": "destroy"})),
    path(f"{_ONE}/prove", BackupViewSet.as_view({"post": "prove"})),
    path(f"{_ONE}/download", BackupViewSet.as_view({"get": "download"})),
    path(
        f"{_HERE}/database/backup-schedule",
        BackupScheduleViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
    ),
]
