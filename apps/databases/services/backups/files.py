"""Reading what is stored of a backup, with every byte of it checked."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast
from uuid import UUID

import zstandard

from apps.databases.clients.backup_store import file_size, open_file
from apps.databases.errors import BackupBroken, BackupNotUsable, DumpFailed
from apps.databases.models import Backup
from apps.databases.states import USABLE
from apps.secrets.errors import SealBroken
from apps.secrets.services import ByteSource, SealedReader, open_stream, open_value

MANIFEST = "manifest.json"
#: What the key of a dump is bound to, beside the backup's id.
SEAL = {"model": "databases.Backup", "field": "sealed_key"}
_PIECE = 1 << 20


def nothing() -> None:
    """A ``watch`` that never objects."""


def folder_of(database_id: UUID) -> str:
    """Where in the storage all backups of a database are, each in a folder of its own."""
    return f"databases/{database_id.hex}"


def read_manifest(backup: Backup) -> dict[str, Any]:
    """The manifest in the storage. Raises BackupFileMissing, BackupBroken when it isn't this backup's, and
    StorageUnavailable."""
    with open_file(f"{backup.storage_key}/{MANIFEST}") as file:
        text = file.read()
    try:
        manifest = json.loads(text)
        same = manifest["backup"] == str(backup.pk) and manifest["sha256"] == backup.sha256
    except (ValueError, TypeError, KeyError) as error:
        raise BackupBroken("The manifest of this backup can't be read.") from error
    if not same:
        raise BackupBroken("The manifest in the storage isn't that of this backup.")
    found: dict[str, Any] = manifest
    return found


def require_usable(backup: Backup) -> None:
    """Raise BackupNotUsable unless one can restore from it."""
    if backup.status not in USABLE:
        raise BackupNotUsable(f"This backup is {backup.status}; one can restore from stored and proved ones.")


def require_manifest(backup: Backup) -> None:
    """Raise BackupNotUsable unless it is stored, BackupBroken when its manifest or its dump is missing, cut or
    another's, KeyMissing when its key can't be opened: as far as can be seen without reading the dump."""
    require_usable(backup)
    read_manifest(backup)
    with _broken():
        open_value(backup.sealed_key, key=str(backup.pk), **SEAL)
    _require_size(backup)


def check_stored(backup: Backup, *, watch: Callable[[], None] = nothing) -> None:
    """The file has the size and the SHA-256 that were written down. Raises DumpFailed otherwise."""
    try:
        _require_size(backup)
        with open_file(dump_file(backup)) as file:
            checked = _Checked(file, backup.sha256, watch)
            while checked.read(_PIECE):
                pass
    except BackupBroken as error:
        raise DumpFailed(f"What was stored isn't what was sent: {error.detail}") from error


@contextmanager
def open_backup(backup: Backup, *, watch: Callable[[], None] = nothing) -> Iterator[ByteSource]:
    """The dump in ``pg_dump``'s custom format, decrypted and unpacked, each chunk proved before it is given.

    The end (an empty read) is given once the seal, the packing and the SHA-256 of the file have held to it; until then
    don't act on what was read. Reading raises BackupBroken. Raises BackupNotUsable, BackupBroken, KeyMissing,
    StorageUnavailable.
    """
    require_manifest(backup)
    with (
        open_file(dump_file(backup)) as file,
        opened_dump(file, sealed_key=backup.sealed_key, key=str(backup.pk), sha256=backup.sha256, watch=watch) as dump,
    ):
        yield dump


@contextmanager
def opened_dump(
    file: IO[bytes], *, sealed_key: str, key: str, sha256: str, watch: Callable[[], None] = nothing
) -> Iterator[ByteSource]:
    """The same for a file of which only the manifest is known."""
    checked = _Checked(file, sha256, watch)
    with _broken():
        reader = open_stream(checked, sealed_key=sealed_key, key=key, **SEAL)
        yield _Whole(
            zstandard.ZstdDecompressor().stream_reader(cast(IO[bytes], reader), read_across_frames=False),
            reader,
            checked,
        )


def fetch_dump(backup: Backup, path: Path, *, watch: Callable[[], None] = nothing) -> None:
    """Bring the dump to ``path``, a new file that only we can read: there whole and checked, or not at all.

    Room for it is reserved first. Raises what ``open_backup`` does, and OSError when this machine has no room.
    """
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        with open_backup(backup, watch=watch) as dump:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as target:
                size = int((backup.manifest or {}).get("dump_bytes", 0))
                if size:
                    os.posix_fallocate(target.fileno(), 0, size)
                copied = 0
                while data := dump.read(_PIECE):
                    target.write(data)
                    copied += len(data)
                target.truncate(copied)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def export_dump(folder: str, target: IO[bytes]) -> dict[str, Any]:
    """Write the dump in a folder of the storage to ``target``, by its manifest alone; returns the manifest.

    ``target`` holds nothing of use when this raises: BackupBroken (also when what lies there is another backup, put in
    this one's place), KeyMissing, StorageUnavailable.
    """
    with open_file(f"{folder}/{MANIFEST}") as file:
        text = file.read()
    try:
        manifest: dict[str, Any] = json.loads(text)
        name, sha256, seal = manifest["file"], manifest["sha256"], manifest["seal"]
        sealed_key, key = seal["sealed_key"], seal["key"]
    except (ValueError, TypeError, KeyError) as error:
        raise BackupBroken("The manifest can't be read.") from error
    if str(key).replace("-", "") != folder.rpartition("/")[2]:
        raise BackupBroken("What lies in this folder is another backup.")
    with (
        open_file(f"{folder}/{name}") as file,
        opened_dump(file, sealed_key=sealed_key, key=key, sha256=sha256) as dump,
    ):
        while data := dump.read(_PIECE):
            target.write(data)
    return manifest


def dump_file(backup: Backup) -> str:
    """The name of the dump in the storage."""
    manifest: Mapping[str, Any] = backup.manifest or {}
    if "file" not in manifest:
        raise BackupBroken("It isn't written down which file of this backup is its dump.")
    return f"{backup.storage_key}/{manifest['file']}"


def _require_size(backup: Backup) -> None:
    size = file_size(dump_file(backup))
    if size != backup.size_bytes:
        raise BackupBroken(f"The stored dump has {size:,} bytes, not {backup.size_bytes:,}.")


class _Checked:
    """A source that raises BackupBroken at its end unless all of it had this SHA-256."""

    def __init__(self, file: IO[bytes], sha256: str, watch: Callable[[], None]) -> None:
        self._file, self._wanted, self._watch = file, sha256, watch
        self._hash = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        self._watch()
        data = self._file.read(size)
        if data:
            self._hash.update(data)
        elif self._hash.hexdigest() != self._wanted:
            raise BackupBroken("The stored dump isn't what was stored: its SHA-256 differs.")
        return data


class _Whole:
    """The unpacked dump; its end is given when everything below has ended well too."""

    def __init__(self, dump: IO[bytes], sealed: SealedReader, checked: _Checked) -> None:
        self._dump, self._sealed, self._checked = dump, sealed, checked

    def read(self, size: int = -1, /) -> bytes:
        with _broken():
            data = self._dump.read(size)
            if not data:
                if self._sealed.read(1):
                    raise BackupBroken("Something follows the end of the dump.")
                self._checked.read(1)
            return data


@contextmanager
def _broken() -> Iterator[None]:
    try:
        yield
    except SealBroken as error:
        raise BackupBroken(f"The stored dump was changed or cut: {error}"[:300]) from error
    except zstandard.ZstdError as error:
        raise BackupBroken(f"The stored dump can't be unpacked: {error}"[:300]) from error
