"""Making a database on a server what a workspace's database must be: who may enter, what they may, what bounds them.

For new databases and for restored ones. Every function is safe to repeat.
"""

from __future__ import annotations

from typing import Any

import psycopg
from django.conf import settings

from apps.databases.clients.closing import close_catalogs
from apps.databases.clients.loaders import LoaderTerms
from apps.databases.clients.postgres import make_verifier
from apps.databases.clients.roles import (
    Limits,
    RoleNames,
    allow_logins,
    establish_schema,
    open_database,
    set_verifier,
    shut_logins,
)
from apps.databases.models import WorkspaceDatabase
from apps.databases.services.secrets import open_password
from apps.databases.services.servers import open_server


def session_limits() -> Limits:
    """What bounds the sessions of workspaces' logins."""
    return Limits(
        connections=settings.DATABASE_LOGIN_CONNECTIONS,
        statement=settings.DATABASE_STATEMENT_TIMEOUT,
        idle_in_transaction=settings.DATABASE_IDLE_TRANSACTION_TIMEOUT,
        temp_file_bytes=settings.DATABASE_TEMP_FILE_BYTES,
    )


def loader_terms(database: WorkspaceDatabase) -> LoaderTerms:
    """For the logins that load dumps on the database's server."""
    return LoaderTerms(
        owner=database.ddl_role,
        enter=lambda name: open_server(database.server, database=name),
        seconds=settings.DATABASE_FENCE_MAX.total_seconds(),
    )


def establish_database(database: WorkspaceDatabase, *, name: str | None = None) -> None:
    """The schema ``app``, its grants, and what is closed, in the database ``name`` (the live one unless told).

    Its logins are not yet let in; see ``admit_logins``. Raises ServerUnavailable.
    """
    with open_server(database.server, database=name or database.name) as inside:
        close_catalogs(inside)
        establish_schema(inside, RoleNames.of(database), writes=database.writes_revoked_at is None)


def admit_logins(database: WorkspaceDatabase, *, name: str | None = None) -> None:
    """Let the workspace's logins into the database ``name`` (the live one unless told), with their limits and
    settings. A swap of databases needs this for the new one: settings belong to a database, not to its name."""
    with open_server(database.server) as server:
        open_database(server, name or database.name, RoleNames.of(database), session_limits())


def publish_login(server: psycopg.Connection[Any], database: WorkspaceDatabase) -> None:
    """Give the published login the password that is sealed in the row, take the other one's, and let them log in."""
    login, other = database.login(database.active_login), database.login(database.other_login)
    set_verifier(server, login, make_verifier(server, login=login, password=open_password(database)))
    set_verifier(server, other, None)
    allow_logins(server, RoleNames.of(database), allowed=True)


def shut_out(database: WorkspaceDatabase) -> None:
    """Let nobody log in as the workspace, and end its sessions. Its data stay. Raises ServerUnavailable,
    SessionsRemain."""
    roles = RoleNames.of(database)
    with open_server(database.server) as server:
        shut_logins(
            server,
            list(roles.logins),
            close=lambda: allow_logins(server, roles, allowed=False),
            seconds=settings.DATABASE_FENCE_MAX.total_seconds(),
        )


def let_in(database: WorkspaceDatabase) -> None:
    """Undo ``shut_out``. Raises ServerUnavailable."""
    with open_server(database.server) as server:
        allow_logins(server, RoleNames.of(database), allowed=True)
