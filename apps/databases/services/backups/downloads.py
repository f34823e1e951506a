"""Giving a backup to those who may have it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor
from apps.databases.models import Backup
from apps.databases.services.backups.files import open_backup, require_usable
from apps.databases.services.backups.requests import find_backup
from apps.secrets.services import ByteSource

_PIECE = 1 << 18


def open_download(*, workspace: Any, backup_id: UUID, actor: Actor, now: datetime) -> tuple[Backup, Iterator[bytes]]:
    """The backup, and its dump, decrypted while it is read. That it was downloaded is an act of its own.

    Reading needs no database, so it doesn't matter what workspace is entered when the answer is sent. It breaks off
    with BackupBroken where the stored file is damaged. Raises BackupNotFound, BackupNotUsable, BackupBroken,
    KeyMissing, StorageUnavailable.
    """
    backup = find_backup(workspace_id=workspace.pk, backup_id=backup_id)
    require_usable(backup)
    with ExitStack() as opened:
        dump = opened.enter_context(open_backup(backup))
        with transaction.atomic():
            record_act_in(
                workspace,
                actor=actor,
                action="backup.download",
                target=Target(kind="backup", id=str(backup.pk), name=str(backup)),
                now=now,
            )
        return backup, _Pieces(dump, opened.pop_all())


class _Pieces(Iterator[bytes]):
    """The dump in pieces; closes what was opened for it, also when it is given up (``close`` is called by WSGI)."""

    def __init__(self, dump: ByteSource, opened: ExitStack) -> None:
        self._dump, self._opened = dump, opened

    def __next__(self) -> bytes:
        data = self._dump.read(_PIECE)
        if not data:
            self.close()
            raise StopIteration
        return data

    def close(self) -> None:
        self._opened.close()
