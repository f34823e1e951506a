"""Measuring what workspaces' databases hold, and bounding it in the databases themselves."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from uuid import UUID

import psycopg
import structlog
from django.db import transaction

from apps.common.errors import Unavailable
from apps.common.metering import note_level
from apps.databases.clients.roles import RoleNames
from apps.databases.clients.storage import measure_sizes, set_growth
from apps.databases.models import DatabaseServer, KeptDatabase, WorkspaceDatabase
from apps.databases.services.servers import open_server
from apps.databases.services.space import DIMENSION, storage_limit
from apps.events.services import emit_event

log = structlog.get_logger(__name__)

#: Writes are allowed again below this part of the limit, so that a database at its limit doesn't flap.
_LIFTED_BELOW = 0.95


def measure_databases(*, now: datetime) -> int:
    """Measure every database on every server that answers, with one query each, and bring its limit and its grants in
    line; returns how many were measured. A server or a database that fails is met again the next time."""
    measured = 0
    for server in DatabaseServer.objects.reachable():
        try:
            measured += _measure_server(server, now=now)
        except (Unavailable, psycopg.Error) as error:
            log.warning("databases_not_measured", server=server.name, error=str(error))
    return measured


def measure_database(*, database_id: UUID, now: datetime) -> WorkspaceDatabase:
    """The same for one, at once. Raises Unavailable when its server doesn't answer."""
    database = WorkspaceDatabase.objects.select_related("server", "workspace").get(pk=database_id)
    _measure([database], database.server, now=now)
    database.refresh_from_db()
    return database


def bound_growth(database: WorkspaceDatabase) -> None:
    """Bring the grants in the database in line with its row: after a migration or a restore, which make tables.

    Safe to repeat. Raises Unavailable when its server doesn't answer.
    """
    with open_server(database.server, database=database.name) as inside:
        set_growth(inside, RoleNames.of(database), allowed=database.writes_revoked_at is None)


def _measure_server(server: DatabaseServer, *, now: datetime) -> int:
    databases = list(WorkspaceDatabase.objects.ready().filter(server=server).select_related("server", "workspace"))
    return _measure(databases, server, now=now) if databases else 0


def _measure(databases: list[WorkspaceDatabase], server: DatabaseServer, *, now: datetime) -> int:
    kept: dict[UUID, list[KeptDatabase]] = defaultdict(list)
    for copy in KeptDatabase.objects.present().filter(database__in=databases):
        kept[copy.database_id].append(copy)
    names = [database.name for database in databases] + [copy.name for copies in kept.values() for copy in copies]
    with open_server(server) as connection:
        sizes = measure_sizes(connection, names)
    measured = [database for database in databases if database.name in sizes]
    for database in measured:
        for copy in kept[database.pk]:
            if copy.name in sizes and copy.size_bytes != sizes[copy.name]:
                KeptDatabase.objects.filter(pk=copy.pk).update(size_bytes=sizes[copy.name])
        size = sizes[database.name] + sum(sizes.get(copy.name, 0) for copy in kept[database.pk])
        try:
            _apply(database, size, storage_limit(database.workspace_id, now=now), now=now)
        except (Unavailable, psycopg.Error) as error:
            log.warning("growth_not_bounded", database=database.name, error=str(error))
    return len(measured)


def _apply(database: WorkspaceDatabase, size: int, limit: int | None, *, now: datetime) -> None:
    """Write down what was measured; where that crosses the limit, change the grants first: what the row says has been
    done, so one who dies in between is repaired by the next measurement."""
    full = _is_full(size, limit, was_full=database.writes_revoked_at is not None)
    crossed = full != (database.writes_revoked_at is not None)
    if crossed:
        database.writes_revoked_at = now if full else None
        bound_growth(database)
    with transaction.atomic():
        row = WorkspaceDatabase.objects.select_for_update().get(pk=database.pk)
        grown = row.size_bytes != size
        row.size_bytes, row.size_measured_at, row.limit_bytes = size, now, limit
        row.writes_revoked_at = database.writes_revoked_at
        row.save(update_fields=["size_bytes", "size_measured_at", "limit_bytes", "writes_revoked_at"])
        if grown:
            note_level(workspace_id=row.workspace_id, dimension=DIMENSION, now=now)
        if crossed:
            data = {"database": str(row.pk), "size_bytes": size, "limit_bytes": limit}
            event = "database.over_limit" if full else "database.below_limit"
            emit_event(type=event, workspace_id=row.workspace_id, data=data, now=now)


def _is_full(size: int, limit: int | None, *, was_full: bool) -> bool:
    if limit is None:
        return False
    return size > limit * _LIFTED_BELOW if was_full else size > limit
