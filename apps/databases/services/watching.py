"""Ending what workspaces' sessions do for too long, from outside: they can't switch this off."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import psycopg
import structlog
from django.conf import settings

from apps.common.errors import Unavailable
from apps.databases.clients.activity import Ended, Patience, end_what_takes_too_long
from apps.databases.models import DatabaseServer, WorkspaceDatabase
from apps.databases.services.servers import open_server
from apps.events.services import emit_event

log = structlog.get_logger(__name__)


def watch_sessions(*, now: datetime) -> int:
    """End statements, idle transactions and long transactions of workspaces' logins, and of those that load their
    dumps, on every server that answers; returns how many. Each is logged and told to its workspace in an event."""
    patience = Patience(
        statement=settings.DATABASE_STATEMENT_LIMIT,
        migration=settings.DATABASE_MIGRATION_TIME,
        load=settings.DATABASE_LOAD_LIMIT,
        idle=settings.DATABASE_IDLE_TRANSACTION_LIMIT,
        transaction=settings.DATABASE_TRANSACTION_LIMIT,
        insist=settings.DATABASE_WATCH_INSIST,
    )
    ended: list[Ended] = []
    for server in DatabaseServer.objects.reachable():
        try:
            with open_server(server) as connection:
                ended += end_what_takes_too_long(connection, patience)
        except (Unavailable, psycopg.Error) as error:
            log.warning("sessions_not_watched", server=server.name, error=str(error))
    _tell(ended, now=now)
    return len(ended)


def _tell(ended: list[Ended], *, now: datetime) -> None:
    found = WorkspaceDatabase.objects.filter(pk__in={_database_of(one) for one in ended})
    owners = dict(found.values_list("pk", "workspace_id"))
    for one in ended:
        log.warning("session_ended", database=one.database, login=one.login, why=one.why, seconds=one.seconds)
        if (workspace_id := owners.get(_database_of(one))) is not None:
            emit_event(
                type="database.session_ended",
                workspace_id=workspace_id,
                data={"why": one.why, "seconds": one.seconds, "login": one.login, "statement": one.statement},
                now=now,
            )


def _database_of(ended: Ended) -> UUID:
    """Logins are called after the live database, in whatever database they are: a kept one, one that is filled."""
    return UUID(ended.login.split("_")[1])
