"""The connections by which the platform works in workspaces' databases, as their applications and as their owner."""

from __future__ import annotations

import atexit
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any

import psycopg
from django.conf import settings
from psycopg import sql

from apps.databases.clients.pool import ConnectionPool, PoolKey
from apps.databases.clients.postgres import make_verifier
from apps.databases.clients.sessions import connect_as
from apps.databases.clients.values import OUTPUT_SETTINGS
from apps.databases.models import WorkspaceDatabase
from apps.databases.services.secrets import open_password
from apps.databases.services.servers import open_server
from apps.databases.services.servers.connections import admin_dsn

#: What PostgreSQL shows as the application of these sessions.
RUNTIME = "apprun-runtime"
MIGRATION = "apprun-migration"
_READY_TO_USE = "SELECT set_config('role', %s, true), set_config('statement_timeout', %s, true)"


@lru_cache(maxsize=1)
def runtime_pool() -> ConnectionPool:
    """The one pool of this process. Closed when the process ends in order."""
    pool = ConnectionPool(
        max_kept=settings.DATABASE_CONNECTIONS_KEPT,
        max_used=settings.DATABASE_QUERIES_AT_ONCE,
        max_age=settings.DATABASE_CONNECTION_IDLE.total_seconds(),
    )
    atexit.register(pool.close)
    return pool


@contextmanager
def runtime_transaction(
    database: WorkspaceDatabase, *, write: bool, limit: timedelta
) -> Iterator[psycopg.Connection[Any]]:
    """A session in an open transaction, as the application's login, or, without ``write``, as the role that may only
    read, in a transaction that can't write whatever the statement tries. Undone unless it is committed.

    Each statement takes at most ``limit``. Raises TooManyQueries, WorkspaceDatabaseUnavailable.
    """

    def prepare(connection: psycopg.Connection[Any]) -> None:
        # The first query fixes the mode: PostgreSQL lets nobody turn READ ONLY off behind a snapshot.
        connection.execute("BEGIN READ WRITE" if write else "BEGIN READ ONLY")
        role = database.app_role if write else database.read_role
        connection.execute(_READY_TO_USE, [role, str(round(limit.total_seconds() * 1000))])

    key = PoolKey(database.pk, database.secret_version)
    with runtime_pool().connection(key, connect=_connect_login(database), prepare=prepare) as connection:
        yield connection


def _connect_login(database: WorkspaceDatabase) -> Callable[[], psycopg.Connection[Any]]:
    def connect() -> psycopg.Connection[Any]:
        return connect_as(
            admin_dsn(database.server),
            database=database.name,
            user=database.login(database.active_login),
            password=open_password(database),
            application=RUNTIME,
            settings=OUTPUT_SETTINGS,
        )

    return connect


@contextmanager
def owner_session(database: WorkspaceDatabase) -> Iterator[psycopg.Connection[Any]]:
    """A session of the role that owns the workspace's tables, for SQL that the workspace wrote.

    The role itself logs in, once, with a password that nobody keeps: whatever the SQL resets (``RESET ROLE``), nothing
    but this role is behind it. Before and after it can't log in; settings that it gave itself are gone. A session that
    an earlier worker left open is ended first. Raises WorkspaceDatabaseUnavailable.
    """
    role = sql.Identifier(database.ddl_role)
    password = secrets.token_urlsafe(32)
    with open_server(database.server) as server:
        _close_owner(server, database)
        server.execute(
            sql.SQL("ALTER ROLE {} LOGIN PASSWORD {} CONNECTION LIMIT 1").format(
                role, sql.Literal(make_verifier(server, login=database.ddl_role, password=password))
            )
        )
        server.execute(
            sql.SQL("ALTER ROLE {} IN DATABASE {} SET temp_file_limit TO {}").format(
                role, sql.Identifier(database.name), sql.Literal(f"{settings.DATABASE_TEMP_FILE_BYTES // 1024}kB")
            )
        )
        server.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database.name), role))
    try:
        with connect_as(
            admin_dsn(database.server),
            database=database.name,
            user=database.ddl_role,
            password=password,
            application=MIGRATION,
            settings={**OUTPUT_SETTINGS, "search_path": "app"},
        ) as connection:
            yield connection
    finally:
        with open_server(database.server) as server:
            _close_owner(server, database)


def _close_owner(server: psycopg.Connection[Any], database: WorkspaceDatabase) -> None:
    role = sql.Identifier(database.ddl_role)
    server.execute(sql.SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL").format(role))
    server.execute(sql.SQL("ALTER ROLE {} RESET ALL").format(role))
    server.execute(sql.SQL("ALTER ROLE {} IN DATABASE {} RESET ALL").format(role, sql.Identifier(database.name)))
    server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [database.ddl_role])
