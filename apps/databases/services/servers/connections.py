"""Reaching a database server with what is sealed in its row."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import psycopg
from django.conf import settings

from apps.databases.clients.postgres import environment_for_programs, environment_of, open_connection
from apps.databases.clients.programs import PostgresProgram, find_program
from apps.databases.clients.releases import server_fault
from apps.databases.errors import ServerUnavailable, ServerUnsafe
from apps.databases.models import DatabaseServer
from apps.databases.states import ServerStatus
from apps.secrets.services import open_value, seal_value

#: The database that every server has, for what concerns the server as a whole.
MAINTENANCE = "postgres"
#: The oldest PostgreSQL on which workspaces' databases live.
OLDEST_MAJOR = 15


def seal_dsn(server_id: Any, dsn: str) -> str:
    """The sealed admin DSN of the server with this id."""
    return seal_value(dsn.encode(), model="databases.DatabaseServer", key=str(server_id), field="admin_dsn")


def admin_dsn(server: DatabaseServer) -> str:
    """The DSN of the platform's superuser on the server. Raises KeyMissing."""
    return open_value(
        server.admin_dsn, model="databases.DatabaseServer", key=str(server.pk), field="admin_dsn"
    ).decode()


def open_server(
    server: DatabaseServer, *, database: str = MAINTENANCE, statement_timeout: timedelta | None = None
) -> AbstractContextManager[psycopg.Connection[Any]]:
    """The platform's superuser in ``database`` (a name on that server), in autocommit mode.

    Statements may take ``DATABASE_ADMIN_TIMEOUT`` unless told otherwise; zero is no limit. Raises ServerUnavailable
    when the server doesn't answer or is offline, LoginRefused.
    """
    require_online(server)
    return open_connection(
        admin_dsn(server),
        dbname=database,
        connect_timeout=settings.DATABASE_SERVER_CONNECT_TIMEOUT,
        statement_timeout=settings.DATABASE_ADMIN_TIMEOUT if statement_timeout is None else statement_timeout,
    )


def open_as_login(
    server: DatabaseServer, *, database: str, user: str, password: str
) -> AbstractContextManager[psycopg.Connection[Any]]:
    """A workspace's login in its database, in autocommit mode, by the way that the platform reaches the server.

    Raises ServerUnavailable, LoginRefused.
    """
    require_online(server)
    return open_connection(
        admin_dsn(server),
        dbname=database,
        user=user,
        password=password,
        passfile="/dev/null",
        connect_timeout=settings.DATABASE_SERVER_CONNECT_TIMEOUT,
        statement_timeout=settings.DATABASE_ADMIN_TIMEOUT,
    )


def libpq_environment(
    server: DatabaseServer, *, database: str = MAINTENANCE, user: str | None = None, password: str | None = None
) -> dict[str, str]:
    """The environment with which ``pg_dump``, ``pg_restore`` and ``psql`` reach ``database``: as the platform's
    superuser, or as ``user``. It holds a password: to be given to one child process, never logged."""
    login = {} if user is None else {"user": user, "password": password or ""}
    require_online(server)
    return environment_of(
        admin_dsn(server), dbname=database, connect_timeout=settings.DATABASE_SERVER_CONNECT_TIMEOUT, **login
    )


def child_environment(
    server: DatabaseServer, *, database: str, user: str | None = None, password: str | None = None
) -> dict[str, str]:
    """The whole environment of such a child process, whose messages are in English."""
    ours = environment_for_programs(os.environ)
    return {**ours, "LC_ALL": "C", **libpq_environment(server, database=database, user=user, password=password)}


def require_program(
    name: str, *, server: DatabaseServer | None = None, at_least: int = OLDEST_MAJOR
) -> PostgresProgram:
    """``pg_dump``, ``pg_restore`` or another program of PostgreSQL, as new as the server and as ``at_least`` (a major
    version, such as the one that made a dump). Raises ProgramMissing, and ServerUnsafe for a server that a workspace
    could take over by being dumped."""
    if server and (fault := server_fault(server.version)):
        raise ServerUnsafe(f"The database server {server.name} can't be used for this. {fault}")
    return find_program(name, at_least=max(at_least, server.major if server else 0))


def require_online(server: DatabaseServer) -> None:
    """Raise ServerUnavailable when an operator has taken the server offline."""
    if server.status == ServerStatus.OFFLINE:
        raise ServerUnavailable(f"The database server {server.name} is offline.", retry_after=60)
