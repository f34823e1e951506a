"""How large databases are, and whether their applications may make them larger.

Every function takes a superuser's connection in autocommit mode whose search path is ``pg_catalog``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import sql

#: Functions that write large objects. PostgreSQL 15 lets even read-only transactions call them, and no grant on a
#: table bounds them.
_LARGE_OBJECTS = (
    "lo_creat(integer)",
    "lo_create(oid)",
    "lo_from_bytea(oid, bytea)",
    "lo_put(oid, bigint, bytea)",
    "lo_open(oid, integer)",
    "lowrite(integer, bytea)",
    "lo_truncate(integer, integer)",
    "lo_truncate64(integer, bigint)",
)
#: What makes a table larger. DELETE, TRUNCATE and SELECT stay.
_GROWTH = sql.SQL("INSERT, UPDATE")


def measure_sizes(server: psycopg.Connection[Any], names: Iterable[str]) -> dict[str, int]:
    """Bytes on disk of those of the databases that exist, by name, in one query."""
    query = "SELECT datname::text, pg_database_size(oid) FROM pg_database WHERE datname = ANY(%s)"
    return dict(server.execute(query, [list(names)]).fetchall())


def forbid_growth(database: psycopg.Connection[Any], *, owner: str, app: str, others: Sequence[str]) -> None:
    """Take INSERT and UPDATE on every table of ``app``'s schema, and on those to come, from everyone but the owner.

    Open sessions feel it with their next statement. Safe to repeat.
    """
    grantees = sql.SQL(", ").join([sql.SQL("PUBLIC"), *(sql.Identifier(name) for name in (app, *others))])
    with database.transaction():
        database.execute(sql.SQL("REVOKE {} ON ALL TABLES IN SCHEMA app FROM {}").format(_GROWTH, grantees))
        database.execute(
            sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA app REVOKE {} ON TABLES FROM {}").format(
                sql.Identifier(owner), _GROWTH, grantees
            )
        )


def allow_growth(database: psycopg.Connection[Any], *, owner: str, app: str) -> None:
    """Give INSERT and UPDATE back to the application's role, on every table there is and those to come."""
    role = sql.Identifier(app)
    with database.transaction():
        database.execute(sql.SQL("GRANT {} ON ALL TABLES IN SCHEMA app TO {}").format(_GROWTH, role))
        database.execute(
            sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA app GRANT {} ON TABLES TO {}").format(
                sql.Identifier(owner), _GROWTH, role
            )
        )


def close_side_doors(database: psycopg.Connection[Any]) -> None:
    """Leave tables as the only place where a workspace can store something: no large objects. Safe to repeat."""
    with database.transaction():
        for function in _LARGE_OBJECTS:
            database.execute(sql.SQL("REVOKE EXECUTE ON FUNCTION pg_catalog.{} FROM PUBLIC").format(sql.SQL(function)))
