"""The database that a dump is loaded into, on the workspace's server.

It lets nobody in but its loader (see ``loaders``) until it is whole. Every function takes a superuser's connection in
autocommit mode to another database of the server.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from psycopg import sql

from apps.databases.clients.closing import close_catalogs
from apps.databases.clients.postgres import change_catalog
from apps.databases.clients.roles import RoleNames, Server, revoke_everywhere


def create_closed_database(
    server: psycopg.Connection[Any], *, name: str, like: str, enter: Callable[[str], AbstractContextManager[Server]]
) -> None:
    """An empty database of this name with the encoding and the locale of ``like``, into which no login may.

    One that an earlier attempt left under this name is dropped first. ``enter`` opens a superuser's connection to it:
    what a live database closes (large objects, advisory locks, …) is closed before anything is loaded, because
    functions of the workspace are run by loading.
    """
    row = server.execute(
        "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = %s", [like]
    ).fetchone()
    if row is None:
        raise RuntimeError(f"The live database {like} is not on its server.")
    drop_database(server, name)
    encoding, collate, ctype = (sql.Literal(value) for value in row)
    server.execute(
        sql.SQL(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {} CONNECTION LIMIT 0"
        ).format(sql.Identifier(name), encoding, collate, ctype)
    )
    server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
    with enter(name) as inside:
        close_catalogs(inside)


def drop_database(server: psycopg.Connection[Any], name: str) -> None:
    """Drop the database with the sessions in it; nothing when it isn't there."""
    server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def names_beginning_with(server: psycopg.Connection[Any], stem: str) -> list[str]:
    """The databases whose names begin so."""
    rows = server.execute("SELECT datname FROM pg_database WHERE starts_with(datname::text, %s)", [stem])
    return [row[0] for row in rows]


def limit_connections(server: psycopg.Connection[Any], name: str, connections: int) -> None:
    """Let at most so many sessions of others than superusers into the database; -1 is no limit."""
    change_catalog(
        server,
        sql.SQL("ALTER DATABASE {} WITH CONNECTION LIMIT {}").format(sql.Identifier(name), sql.Literal(connections)),
    )


def set_read_only(server: psycopg.Connection[Any], name: str, *, on: bool) -> None:
    """Whether transactions in the database are read-only unless they say otherwise."""
    change = "SET default_transaction_read_only = on" if on else "RESET default_transaction_read_only"
    server.execute(sql.SQL("ALTER DATABASE {} {}").format(sql.Identifier(name), sql.SQL(change)))


def database_size(server: psycopg.Connection[Any], name: str) -> int:
    """What the database takes on the server's disks, bytes."""
    row = server.execute("SELECT pg_database_size(%s::name)", [name]).fetchone()
    return int(row[0]) if row is not None else 0


def revoke_changes(inside: psycopg.Connection[Any], roles: RoleNames) -> None:
    """Leave the workspace's logins nothing but reading. Takes a superuser's connection to the database itself."""
    # It may be read-only already, from an earlier attempt.
    inside.execute("SET default_transaction_read_only = off")
    with inside.transaction():
        revoke_everywhere(inside, roles, "INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER", "USAGE, UPDATE")
