"""The database and the login that a dump is loaded with, on the workspace's server.

The database lets nobody in but its loader until it is whole; the loader can do nothing but become the owner of the
workspace's tables (see ``pg_restore``). Every function takes a superuser's connection in autocommit mode to another
database of the server.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from apps.databases.clients.postgres import make_verifier
from apps.databases.clients.roles import RoleNames, revoke_everywhere

#: pg_restore's leader, its workers, and one of them coming back.
_SPARE = 2


def create_closed_database(server: psycopg.Connection[Any], *, name: str, like: str) -> None:
    """An empty database of this name with the encoding and the locale of ``like``, into which no login may.

    One that an earlier attempt left under this name is dropped first.
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


def drop_database(server: psycopg.Connection[Any], name: str) -> None:
    """Drop the database with the sessions in it; nothing when it isn't there."""
    server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def names_beginning_with(server: psycopg.Connection[Any], stem: str) -> list[str]:
    """The databases whose names begin so."""
    rows = server.execute("SELECT datname FROM pg_database WHERE starts_with(datname::text, %s)", [stem])
    return [row[0] for row in rows]


@contextmanager
def loader_login(server: psycopg.Connection[Any], *, name: str, owner: str, database: str, jobs: int) -> Iterator[str]:
    """A login that may enter ``database`` and become ``owner`` there, for as long as the block runs; its password.

    Meanwhile ``owner`` may make schemas and trusted extensions in the database. One that was left behind by a worker
    that died is dropped by ``drop_loaders``.
    """
    password = secrets.token_urlsafe(24)
    verifier = make_verifier(server, login=name, password=password)
    login, role, target = sql.Identifier(name), sql.Identifier(owner), sql.Identifier(database)
    server.execute(
        sql.SQL("CREATE ROLE {} LOGIN NOINHERIT PASSWORD {} IN ROLE {}").format(login, sql.Literal(verifier), role)
    )
    try:
        server.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(target, login))
        server.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(target, role))
        limit_connections(server, database, jobs + _SPARE)
        yield password
    finally:
        limit_connections(server, database, 0)
        server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(target, role))
        server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(target, login))
        _drop_login(server, name)


def drop_loaders(server: psycopg.Connection[Any], stem: str) -> None:
    """Drop the logins whose names begin so, once the databases that they were let into are gone."""
    for (name,) in server.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname::text, %s)", [stem]):
        _drop_login(server, name)


def limit_connections(server: psycopg.Connection[Any], name: str, connections: int) -> None:
    """Let at most so many sessions of others than superusers into the database; -1 is no limit."""
    server.execute(
        sql.SQL("ALTER DATABASE {} WITH CONNECTION LIMIT {}").format(sql.Identifier(name), sql.Literal(connections))
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


def _drop_login(server: psycopg.Connection[Any], name: str) -> None:
    server.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))
