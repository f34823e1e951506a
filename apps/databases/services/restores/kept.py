"""Databases beside the live one: read by the workspace's logins for a while, then dropped."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import structlog
from django.conf import settings
from django.db import transaction

from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor
from apps.common.errors import Unavailable
from apps.common.queue import enqueue
from apps.databases.clients.restore_target import (
    database_size,
    drop_database,
    limit_connections,
    revoke_changes,
    set_read_only,
)
from apps.databases.clients.roles import RoleNames
from apps.databases.clients.swap import database_exists, end_sessions, lift_fence
from apps.databases.errors import KeptDatabaseInUse, KeptDatabaseNotFound
from apps.databases.models import KeptDatabase, Restore, WorkspaceDatabase
from apps.databases.services.establishing import admit_logins, establish_database
from apps.databases.services.servers import open_server
from apps.databases.services.storage import measure_database

log = structlog.get_logger(__name__)


def delete_kept_database(*, workspace: Any, kept_id: UUID, actor: Actor, now: datetime) -> None:
    """Give up a kept database now; a worker drops it. Raises KeptDatabaseNotFound, or KeptDatabaseInUse while it is
    being put back."""
    with transaction.atomic():
        kept = lock_kept_database(workspace_id=workspace.pk, kept_id=kept_id, now=now)
        kept.keep_until = now
        kept.save(update_fields=["keep_until", "updated_at"])
        record_act_in(
            workspace,
            actor=actor,
            action="database.kept_deleted",
            target=Target(kind="kept_database", id=str(kept.pk), name=kept.name),
            now=now,
        )
        enqueue("databases.drop_kept")


def lock_kept_database(*, workspace_id: UUID, kept_id: UUID, now: datetime) -> KeptDatabase:
    """The kept database, locked, unless its time is over. Raises KeptDatabaseNotFound, or KeptDatabaseInUse while it
    is being put back."""
    kept = (
        KeptDatabase.objects.lasting(now)
        .of_workspace(workspace_id)
        .select_for_update(of=("self",))
        .select_related("database__server")
        .filter(pk=kept_id)
        .first()
    )
    if kept is None:
        raise KeptDatabaseNotFound
    if Restore.objects.unfinished().filter(kept=kept).exists():
        raise KeptDatabaseInUse
    return kept


def drop_expired_databases(*, now: datetime) -> int:
    """Drop the kept databases whose time is over; returns how many. One whose server doesn't answer is met again."""
    dropped = 0
    for kept_id in KeptDatabase.objects.expired(now).values_list("pk", flat=True):
        try:
            dropped += _drop_expired(kept_id, now)
        except (psycopg.Error, Unavailable) as error:
            log.warning("kept_database_not_dropped", kept=str(kept_id), error=str(error))
    return dropped


def _drop_expired(kept_id: UUID, now: datetime) -> bool:
    kept = KeptDatabase.objects.expired(now).select_related("database__server").filter(pk=kept_id).first()
    if kept is None or Restore.objects.unfinished().filter(kept=kept).exists():
        return False
    with open_server(kept.database.server) as server:
        drop_database(server, kept.name)
    dropped = KeptDatabase.objects.present().filter(pk=kept_id).update(dropped_at=now)
    measure_database(database_id=kept.database_id, now=now)
    return bool(dropped)


def open_for_reading(*, database: WorkspaceDatabase, name: str) -> int:
    """Let the workspace's logins read the kept database ``name``, and nothing else; returns its size in bytes.

    Safe to repeat. Nothing (and 0) when it isn't there.
    """
    with open_server(database.server) as server:
        if not database_exists(server, name):
            return 0
        # Superusers get past the limit, nobody else does: what may be done is narrowed before anybody is in.
        limit_connections(server, name, 0)
        lift_fence(server, name)
        end_sessions(server, [name], seconds=settings.DATABASE_FENCE_MAX.total_seconds())
        with open_server(database.server, database=name) as inside:
            revoke_changes(inside, RoleNames.of(database))
        set_read_only(server, name, on=True)
        limit_connections(server, name, settings.DATABASE_KEPT_CONNECTIONS)
        return database_size(server, name)


def open_for_writing(*, database: WorkspaceDatabase, name: str) -> None:
    """Give a kept database again what a live one has, before it is put back. Safe to repeat."""
    with open_server(database.server) as server:
        set_read_only(server, name, on=False)
    establish_database(database, name=name)
    admit_logins(database, name=name)
