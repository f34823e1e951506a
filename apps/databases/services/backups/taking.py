"""Making a backup, part by part. Each part is safe to repeat at whatever line its worker died.

The files of a backup are in a folder of their own: ``dump-<attempt>.zst.sealed`` (an attempt that is thought dead can't
write into the next one's) and, last of all, ``manifest.json``. Without that there is no backup.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction

from apps.common.metering import note_level
from apps.databases.clients.backup_store import delete_folder, require_storage, save_file
from apps.databases.clients.programs import PostgresProgram
from apps.databases.clients.row_hashes import PLATFORM_SCHEMA, PinnedTables, TableRows, hash_rows, pin_tables, totals
from apps.databases.clients.sealed_dump import PgDump, SealedDump
from apps.databases.errors import BackupNotUsable, DatabaseNotReady, DumpFailed, LargeObjectsThere
from apps.databases.models import Backup
from apps.databases.services.backups.files import MANIFEST, SEAL, check_stored
from apps.databases.services.servers import child_environment, open_server, require_program
from apps.databases.services.space import BACKUPS
from apps.databases.states import USABLE, BackupStatus, DatabaseStatus
from apps.events.services import emit_event
from apps.secrets.services import key_of

FORMAT = "apprun.backup/1"
#: Where a database keeps the record of its migrations (apps/databases/clients/applied.py).
_RECORD = (PLATFORM_SCHEMA, "migrations")


def check(backup: Backup) -> PostgresProgram:
    """Refuse what can't end well, before anything is made: returns the ``pg_dump`` that fits.

    Raises DatabaseNotReady, ProgramMissing, StorageUnavailable, StorageFull.
    """
    if backup.database.status != DatabaseStatus.READY:
        raise DatabaseNotReady(f"The workspace's database is {backup.database.status}.")
    program = require_program("pg_dump", server=backup.database.server)
    require_storage()
    return program


def dump(backup: Backup, *, attempt: int, watch: Callable[[], None]) -> None:
    """Dump, compress, seal and store, and hash the rows of the same snapshot meanwhile; what was found is written
    into the row. ``watch`` may raise, from any thread. Raises DumpFailed, LargeObjectsThere, StorageUnavailable,
    StorageFull."""
    require_running(backup)
    server, name = backup.database.server, backup.database.name
    program = require_program("pg_dump", server=server)
    file = f"dump-{attempt}.zst.sealed"
    delete_folder(backup.storage_key)  # what earlier attempts left
    with open_server(server, database=name) as connection, pin_tables(connection) as pinned:
        require_comparable(connection)
        about = describe(connection, pinned)
        environment = child_environment(server, database=name)
        lock_wait = round(settings.BACKUP_LOCK_WAIT.total_seconds() * 1000)
        with (
            PgDump(program.path, environment=environment, snapshot=pinned.snapshot, lock_wait=lock_wait) as running,
            _Hashing(connection, pinned) as hashing,
        ):
            sealed = SealedDump(running, **seal_of(backup), level=settings.BACKUP_COMPRESSION_LEVEL, watch=watch)
            save_file(f"{backup.storage_key}/{file}", sealed)
            tables = hashing.result()
    watch()
    found = {
        **about,
        "pg_dump": program.major,
        "file": file,
        "size_bytes": sealed.size,
        "sha256": sealed.sha256,
        "dump_bytes": sealed.dump_bytes,
        "compression": {"name": "zstd", "level": settings.BACKUP_COMPRESSION_LEVEL},
        "tables": [table.as_json() for table in tables],
    }
    Backup.objects.filter(pk=backup.pk, status=BackupStatus.RUNNING).update(
        manifest=found,
        sealed_key=sealed.sealed_key,
        size_bytes=sealed.size,
        sha256=sealed.sha256,
        **totals(tables),
        revision=found["revision"],
    )


def verify(backup: Backup, *, watch: Callable[[], None]) -> None:
    """Read back what is stored: its size and its SHA-256 are those of what was sent.

    Raises StorageUnavailable, and DumpFailed for a difference: the dump is made once more then.
    """
    require_running(backup)
    check_stored(backup, watch=watch)


def publish(backup: Backup, *, now: datetime) -> None:
    """Write the manifest: from now on there is a backup. Raises StorageUnavailable, StorageFull."""
    require_running(backup)
    save_manifest(backup, now=now)


def save_manifest(backup: Backup, *, now: datetime) -> None:
    """The manifest as the row has it, with the key that opens the dump, in place of the one that is there."""
    text = json.dumps(manifest_of(backup, now=now), indent=1, ensure_ascii=False).encode()
    save_file(f"{backup.storage_key}/{MANIFEST}", ContentFile(text, name=MANIFEST))


def manifest_of(backup: Backup, *, now: datetime) -> dict[str, Any]:
    """All that one needs, beside the key-encryption key, to open the dump and to compare what was restored of it."""
    return {
        "format": FORMAT,
        "backup": str(backup.pk),
        "database": str(backup.database_id),
        "workspace": str(backup.workspace_id),
        "kind": backup.kind,
        "started_at": backup.started_at.isoformat(),
        "written_at": now.isoformat(),
        **(backup.manifest or {}),
        "seal": {**seal_of(backup), "key_id": key_of(backup.sealed_key), "sealed_key": backup.sealed_key},
    }


def record(backup: Backup, *, now: datetime) -> None:
    """The backup is stored. Once; later calls change nothing. Raises IllegalTransition when it was given up."""
    with transaction.atomic():
        row = Backup.objects.select_for_update().get(pk=backup.pk)
        if row.status in USABLE:
            return
        manifest = {**(row.manifest or {}), "key_id": key_of(row.sealed_key)}
        row.move_to(BackupStatus.STORED, stored_at=now, manifest=manifest)
        note_level(workspace_id=row.workspace_id, dimension=BACKUPS, now=now)
        emit_event(
            type="backup.stored",
            workspace_id=row.workspace_id,
            data={"backup": str(row.pk), "kind": row.kind, "size_bytes": row.size_bytes},
            now=now,
        )


def give_up(backup: Backup, reason: str) -> None:
    """The backup will not be made. Its files are deleted by the sweep. To be called in a transaction."""
    row = Backup.objects.select_for_update().get(pk=backup.pk)
    if row.status == BackupStatus.RUNNING:
        row.move_to(BackupStatus.FAILED, error=reason[:300])


def seal_of(backup: Backup) -> dict[str, str]:
    """What the dump's key is bound to."""
    return {**SEAL, "key": str(backup.pk)}


def require_comparable(connection: psycopg.Connection[Any]) -> None:
    """Raise LargeObjectsThere when the snapshot holds what no table has: a proof would say more than it knows."""
    if connection.execute("SELECT FROM pg_catalog.pg_largeobject_metadata LIMIT 1").fetchone() is not None:
        raise LargeObjectsThere


def describe(connection: psycopg.Connection[Any], pinned: PinnedTables) -> dict[str, Any]:
    """What the manifest says of the database beside its tables, in the present snapshot."""
    row = connection.execute(
        "SELECT pg_catalog.pg_database_size(pg_catalog.current_database()),"
        " pg_catalog.pg_encoding_to_char(encoding), datcollate, datctype, pg_catalog.transaction_timestamp()"
        " FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()"
    ).fetchone()
    assert row is not None
    migrations = read_migrations(connection) if _RECORD in pinned.queries else []
    return {
        "server_version": connection.info.server_version,
        "database_bytes": row[0],
        "encoding": row[1],
        "locale": {"collate": row[2], "ctype": row[3]},
        "snapshot_at": row[4].isoformat(),
        "revision": migrations[-1]["version"] if migrations else 0,
        "migrations": migrations,
    }


def read_migrations(connection: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """The database's own record of its migrations, without their text.

    The table is the workspace's to change: no text is longer than ours are, and none is made by a cast, which could be
    one of its own that is run with our rights.
    """
    rows = connection.execute(
        "SELECT version, left(concat(name), 100), left(concat(checksum), 100)"
        " FROM ONLY apprun.migrations ORDER BY version"
    )
    return [{"version": version, "name": name, "checksum": checksum} for version, name, checksum in rows]


def require_running(backup: Backup) -> None:
    """Raise BackupNotUsable when the backup was given up meanwhile."""
    if backup.status != BackupStatus.RUNNING:
        raise BackupNotUsable(f"This backup is {backup.status} already.")


class _Hashing:
    """The rows of a snapshot, hashed by a thread while the dump goes its way."""

    def __init__(self, connection: psycopg.Connection[Any], pinned: PinnedTables) -> None:
        self._connection, self._pinned = connection, pinned
        self._tables: list[TableRows] | None = None
        self._error: BaseException | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="row-hashes", daemon=True)

    def result(self) -> list[TableRows]:
        """The tables, once all are done. Raises DumpFailed."""
        self._thread.join()
        if self._tables is None:
            raise DumpFailed(f"The rows could not be counted: {self._error}"[:300]) from self._error
        return self._tables

    def _run(self) -> None:
        try:
            self._tables = hash_rows(self._connection, self._pinned, watch=self._require_going_on)
        except Exception as error:  # noqa: BLE001 - raised again by ``result``
            self._error = error

    def _require_going_on(self) -> None:
        if self._stopped:
            raise DumpFailed("The dump ended before.")

    def __enter__(self) -> _Hashing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        if self._thread.is_alive():
            self._connection.cancel_safe(timeout=5)
        self._thread.join()
