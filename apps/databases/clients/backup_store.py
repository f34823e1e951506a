"""The storage of backups: Django's storage ``backups``, with its many failures as facts of ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import structlog
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages

from apps.databases.errors import BackupFileMissing, StorageFull, StorageUnavailable

log = structlog.get_logger(__name__)

_MISSING = frozenset({"404", "NoSuchKey"})


def store() -> Storage:
    """Where backups lie: a folder by default, any storage of Django's by setting."""
    return storages["backups"]


def require_storage() -> None:
    """Write, read back and delete a few bytes. Raises StorageUnavailable, StorageFull."""
    name = "probe/reachable"
    save_file(name, ContentFile(b"AppRun was here.", name=name))
    with open_file(name) as file:
        if file.read(64) != b"AppRun was here.":
            raise StorageUnavailable("The storage of backups doesn't give back what was put there.")
    delete_file(name)


def save_file(name: str, content: Any) -> None:
    """Store what ``content`` gives, under exactly this name, whole or not at all; replaces what was there.

    An error that ``content`` raises goes through. Raises StorageUnavailable, StorageFull.
    """
    with _explained():
        stored = store().save(name, content)
    if stored != name:
        store().delete(stored)
        raise StorageUnavailable(f"The storage of backups stores {name} under another name.")


@contextmanager
def open_file(name: str) -> Iterator[IO[bytes]]:
    """The file, to be read from its beginning. Raises BackupFileMissing, StorageUnavailable."""
    with _explained():
        file = store().open(name, "rb")
    with file, _explained():
        yield file


def file_size(name: str) -> int:
    """Bytes. Raises BackupFileMissing, StorageUnavailable."""
    with _explained():
        return int(store().size(name))


def delete_file(name: str) -> None:
    """Nothing when it is gone. Raises StorageUnavailable."""
    with _explained():
        store().delete(name)


def delete_folder(folder: str) -> None:
    """Delete all that is in a folder, half-written files too. Safe to repeat. Raises StorageUnavailable."""
    with _explained():
        storage = store()
        try:
            folders, names = storage.listdir(folder)
        except FileNotFoundError:
            folders, names = [], []
        for name in folders:
            delete_folder(f"{folder}/{name}")
        for name in names:
            storage.delete(f"{folder}/{name}")
        if hasattr(storage, "delete_parts"):
            storage.delete_parts(folder)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise BackupFileMissing from error
    except ClientError as error:
        if str(error.response.get("Error", {}).get("Code")) in _MISSING:
            raise BackupFileMissing from error
        raise _unavailable("The storage of backups refused.", error) from error
    except (BotoCoreError, Boto3Error) as error:
        raise _unavailable(StorageUnavailable.detail, error) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull from error
        raise _unavailable("The storage of backups failed.", error) from error


def _unavailable(sentence: str, error: Exception) -> StorageUnavailable:
    """Members read the sentence in their operations; where the storage is and what it said stands in the log."""
    log.warning("backup_storage_fails", error=str(error)[:500], kind=type(error).__name__)
    return StorageUnavailable(sentence)
