"""Clearing away what restores leave: half-made databases, logins, space, files."""

from __future__ import annotations

import contextlib
import time
from datetime import datetime
from pathlib import Path

import psycopg
import structlog
from django.conf import settings

from apps.common.actors import SYSTEM
from apps.common.errors import AppRunError
from apps.databases.clients.loaders import drop_loaders
from apps.databases.clients.restore_target import drop_database, names_beginning_with
from apps.databases.clients.swap import database_exists
from apps.databases.models import Restore
from apps.databases.models.restore import RestoreKind
from apps.databases.services.establishing import loader_terms
from apps.databases.services.restores.kept import open_for_reading
from apps.databases.services.restores.loading import dump_path
from apps.databases.services.restores.names import fresh_stem, kept_name, loader_stem
from apps.databases.services.restores.records import record_swap
from apps.databases.services.restores.swapping import open_fence
from apps.databases.services.servers import open_server
from apps.databases.services.space import release_space

log = structlog.get_logger(__name__)


def settle_restore(*, restore: Restore, now: datetime) -> None:
    """Bring a restore that has ended to rest: forward when the swap has happened, back when it hasn't. Safe to repeat.

    After the swap: what its worker didn't come to write down is written down. Before it: clients are let in, and what
    was made for it is dropped. In both cases its space is given back.
    """
    database = restore.database
    with open_server(database.server) as server:
        swapped = restore.kind != RestoreKind.COPY and database_exists(
            server, kept_name(database, restore.operation_id)
        )
        if not swapped:
            open_fence(restore)
        for name in names_beginning_with(server, fresh_stem(database, restore.operation_id)):
            drop_database(server, name)
        drop_loaders(server, stem=loader_stem(database, restore.operation_id), terms=loader_terms(database))
    if swapped:
        record_swap(restore=restore, actor=SYSTEM, now=now)
        open_for_reading(database=database, name=kept_name(database, restore.operation_id))
    elif restore.kept is not None:
        open_for_reading(database=database, name=restore.kept.name)
    dump_path(restore.operation_id).unlink(missing_ok=True)
    release_space(workspace_id=restore.workspace_id, operation_id=restore.operation_id, now=now)
    Restore.objects.filter(pk=restore.pk).update(settled_at=now, fenced_until=None)


def settle_due_restores(*, now: datetime) -> int:
    """Bring to rest all restores that have ended; returns how many. One that can't be now is met again."""
    settled = 0
    for restore in Restore.objects.to_settle(now).select_related("database__server", "database__workspace", "kept"):
        try:
            settle_restore(restore=restore, now=now)
        except (psycopg.Error, OSError, AppRunError) as error:
            log.warning("restore_not_settled", restore=str(restore.pk), error=str(error))
        else:
            settled += 1
    return settled


def delete_forgotten_dumps() -> int:
    """Delete the temporary files on this machine that nobody has written to for a while; returns how many.

    They are decrypted dumps, whole and half-fetched, for restores and for proofs of backups. A worker that is killed
    can't delete its own.
    """
    deleted = 0
    oldest = time.time() - settings.DATABASE_RESTORE_LEFTOVERS.total_seconds()
    for folder in (settings.DATABASE_RESTORE_FOLDER, settings.BACKUP_SCRATCH_FOLDER):
        for path in (*Path(folder).glob("*.dump"), *Path(folder).glob("*.dump.part")):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()
                    deleted += 1
    return deleted
