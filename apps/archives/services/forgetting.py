"""Deleting archives whose time is over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.archives.models import StoredArchive, WorkspaceExport, WorkspaceImport
from apps.archives.services.storing import discard, export_name, stray_files
from apps.archives.states import ExportStatus, ImportStatus

#: A file without a row may be one whose row is about to be committed.
_STRAY_AGE = timedelta(hours=24)


def expire_archives(*, now: datetime) -> int:
    """Delete the files of exports and failed imports that have expired, and strays; returns how many."""
    expired = _expire(WorkspaceExport.objects.to_expire(now), ExportStatus.EXPIRED)
    expired += _expire(WorkspaceImport.objects.to_expire(now), ImportStatus.EXPIRED)
    for name in list(stray_files(known=_is_known, older_than=now - _STRAY_AGE)):
        discard(name)
        expired += 1
    return expired


def discard_archives(workspace_id: UUID) -> None:
    """Delete what was exported of a workspace, with the workspace, and what it was imported from. Safe to repeat.

    Also what an export that was given up has stored without coming to write it down.
    """
    exports = WorkspaceExport.objects.of_workspace(workspace_id)
    imports = WorkspaceImport.objects.filter(workspace_id=workspace_id)
    stored: list[StoredArchive] = [*exports, *imports]
    for row in stored:
        discard(row.storage_name)
    for export in exports:
        discard(export_name(export))
    exports.delete()
    imports.delete()


def _expire(due: Any, status: str) -> int:
    """The file goes first: a row that says so is never wrong, and a repeat deletes what is gone."""
    expired = 0
    for row_id, name in due.values_list("pk", "storage_name"):
        discard(name)
        with transaction.atomic():
            row = due.select_for_update(skip_locked=True).filter(pk=row_id).first()
            if row is not None:
                row.move_to(status, storage_name="", sealed_key="")
                expired += 1
    return expired


def _is_known(name: str) -> bool:
    exports = WorkspaceExport.objects.filter(storage_name=name)
    return exports.exists() or WorkspaceImport.objects.filter(storage_name=name).exists() or _is_being_written(name)


def _is_being_written(name: str) -> bool:
    """An export's file is there before its row names it."""
    stem = name.rpartition("/")[2].partition(".")[0]
    return name.startswith("exports/") and WorkspaceExport.objects.filter(pk=stem, status=ExportStatus.MAKING).exists()
