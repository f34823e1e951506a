"""How large databases are, and closing the ways by which one could grow past its limit.

Every function takes a superuser's connection in autocommit mode whose search path is ``pg_catalog``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from apps.databases.clients.roles import SCHEMA, RoleNames, grant_changing, revoke_everywhere


def measure_sizes(server: psycopg.Connection[Any], names: Iterable[str]) -> dict[str, int]:
    """Bytes on disk of those of the databases that exist, by name, in one query."""
    query = "SELECT datname::text, pg_database_size(oid) FROM pg_database WHERE datname = ANY(%s)"
    return dict(server.execute(query, [list(names)]).fetchall())


def may_hold_rows(inside: psycopg.Connection[Any]) -> bool:
    """Whether any table of the workspace's has a page on disk. Rows need one; what was deleted may keep it."""
    query = """
        SELECT EXISTS (
            SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'apprun')
               AND pg_relation_size(c.oid) > 0)
    """
    row = inside.execute(query).fetchone()
    return row is not None and bool(row[0])


def set_growth(inside: psycopg.Connection[Any], roles: RoleNames, *, allowed: bool) -> None:
    """Whether applications may INSERT and UPDATE, in what there is and in what migrations make later.

    Open sessions feel it with their next statement. DELETE, TRUNCATE and SELECT stay. Where it isn't allowed, what a
    migration granted to others (its own logins, everybody) goes too. Safe to repeat.
    """
    with inside.transaction():
        if not allowed:
            revoke_everywhere(inside, roles, "INSERT, UPDATE", "USAGE, UPDATE")
            others = sql.SQL(", ").join([sql.SQL("PUBLIC"), *map(sql.Identifier, (roles.read, *roles.logins))])
            later = sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} REVOKE INSERT, UPDATE ON TABLES FROM {}")
            inside.execute(later.format(sql.Identifier(roles.ddl), sql.Identifier(SCHEMA), others))
        grant_changing(inside, roles, writes=allowed)
