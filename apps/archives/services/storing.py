"""Archives in the storage (alias ``backups``), each a sealed stream under a key of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, TypeVar

from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages

from apps.archives.errors import ArchiveBroken
from apps.archives.models import StoredArchive, WorkspaceExport
from apps.secrets.errors import SealBroken
from apps.secrets.services import SealedReader, SealedWriter, open_stream

_FIELD = "archive"
_FOLDERS = ("exports", "imports")

T = TypeVar("T")


def archive_storage() -> Storage:
    """Where archives lie: a folder by default, any storage of Django's by setting."""
    return storages["backups"]


def spool() -> IO[bytes]:
    """A private temporary file beside the platform's data, gone when it is closed. Only sealed bytes go there."""
    folder = Path(settings.DATA_DIR) / "spool"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder, prefix="archive-")


def sealing_writer(target: IO[bytes], *, model: str, key: str) -> SealedWriter:
    """What is written arrives in ``target``, sealed for this row."""
    return SealedWriter(target, model=model, key=key, field=_FIELD)


def store(file: IO[bytes], name: str) -> str:
    """Keep ``file`` under ``name``, instead of what an interrupted attempt left there; returns the storage's name."""
    discard(name)
    storage = archive_storage()
    file.seek(0)
    return str(storage.save(name, File(file, name=name)))


def export_name(export: WorkspaceExport) -> str:
    """Under which name an export's archive is kept, whichever attempt has made it."""
    return f"exports/{export.pk}.tar.zst.sealed"


def discard(name: str) -> None:
    """Delete a file, and what killed processes left of it half-written; no error when it is gone."""
    if name:
        storage = archive_storage()
        storage.delete(name)
        if hasattr(storage, "delete_parts_of"):
            storage.delete_parts_of(name)


@contextmanager
def opened(archive: StoredArchive) -> Iterator[SealedReader]:
    """The unsealed bytes of a stored archive. Raises ArchiveBroken when the file is gone or not what was stored."""
    model = archive._meta.label
    try:
        with archive_storage().open(archive.storage_name, "rb") as file:
            yield open_stream(file, sealed_key=archive.sealed_key, model=model, key=str(archive.pk), field=_FIELD)
    except FileNotFoundError as error:
        raise ArchiveBroken("The stored archive is gone.") from error
    except SealBroken as error:
        raise ArchiveBroken(f"The stored archive was changed or cut: {error}") from error


def read_stored(archive: StoredArchive, read: Callable[[SealedReader], T]) -> T:
    """What ``read`` makes of the unsealed bytes, once the seal was proved to its end."""
    with opened(archive) as reader:
        result = read(reader)
        while reader.read(1 << 20):
            pass
        return result


def stray_files(*, known: Callable[[str], bool], older_than: datetime) -> Iterator[str]:
    """Files of ours without a row, older than that: what a process left that died between the two."""
    storage = archive_storage()
    for folder in _FOLDERS:
        try:
            names = storage.listdir(folder)[1]
        except FileNotFoundError:
            continue
        for name in (f"{folder}/{file}" for file in names):
            if not known(name) and storage.get_modified_time(name) < older_than:
                yield name
