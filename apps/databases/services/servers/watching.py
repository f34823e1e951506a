"""Looking after the servers, regularly."""

from __future__ import annotations

from datetime import datetime

import psycopg
import structlog

from apps.common.actors import SYSTEM
from apps.common.errors import AppRunError
from apps.databases.clients.closing import close_databases
from apps.databases.clients.inspection import inspect_server, logins_admitted
from apps.databases.clients.releases import server_fault
from apps.databases.clients.roles import RoleNames, changed_settings, reset_settings
from apps.databases.models import DatabaseServer, WorkspaceDatabase
from apps.databases.services.deletion import admits_logins
from apps.databases.services.establishing import session_limits
from apps.databases.services.servers.connections import open_server
from apps.operations.services.requests import find_or_request_operation

log = structlog.get_logger(__name__)


def check_servers(*, now: datetime) -> int:
    """Look at every server that isn't offline; returns how many answered."""
    return sum(check_server(server, now=now) for server in DatabaseServer.objects.reachable())


def check_server(server: DatabaseServer, *, now: datetime) -> bool:
    """Write down how the server is, close databases that were made on it since, and have logins brought in line that
    are open or closed against what the rows say; whether it answered."""
    try:
        with open_server(server) as connection:
            report = inspect_server(connection)
            closed = close_databases(connection)
            _correct_logins(server, connection, now=now)
            _correct_settings(server, connection)
    except (AppRunError, psycopg.Error) as error:
        reason = error.detail if isinstance(error, AppRunError) else str(error)
        log.warning("database_server_fails", server=server.name, error=reason)
        DatabaseServer.objects.filter(pk=server.pk).update(error=reason[:300])
        return False
    if closed:
        log.info("databases_closed_to_public", server=server.name, databases=closed)
    problem = server_fault(report.version)
    if not (report.is_superuser and report.is_primary):
        problem = "It is read-only, or we are no superuser there."
    DatabaseServer.objects.filter(pk=server.pk).update(
        version=report.version, checked_at=now, error=problem, used_bytes=report.size_bytes
    )
    return True


def _correct_settings(server: DatabaseServer, connection: psycopg.Connection) -> None:
    """PostgreSQL lets a login change most settings that it begins with; they are put back."""
    databases = {database.login("a"): database for database in WorkspaceDatabase.objects.ready().filter(server=server)}
    databases |= {database.login("b"): database for database in databases.values()}
    limits = session_limits()
    live = {login: database.name for login, database in databases.items()}
    changed = changed_settings(connection, live, limits)
    for database in {databases[login] for login in changed}:
        log.info("settings_of_login_put_back", database=database.name)
        reset_settings(connection, database.name, RoleNames.of(database), limits)


def _correct_logins(server: DatabaseServer, connection: psycopg.Connection, *, now: datetime) -> None:
    """An operation that closes or opens a database may have failed while the server was down."""
    databases = list(WorkspaceDatabase.objects.ready().filter(server=server).select_related("workspace"))
    admitted = logins_admitted(connection, [database.login("a") for database in databases])
    for database in databases:
        if admitted.get(database.login("a")) is not admits_logins(database) and database.login("a") in admitted:
            find_or_request_operation(
                kind="databases.admit",
                target_id=database.pk,
                workspace_id=database.workspace_id,
                actor=SYSTEM,
                now=now,
            )
