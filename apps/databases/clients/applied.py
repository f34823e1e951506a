"""The record of migrations in a workspace's database itself: written in the transaction of the migration, so that it
and the tables can't disagree, and kept with the tables in every backup.

It is a table of the owner's in a schema of its own, ``apprun``, of which applications see nothing. Every function but
the first takes a session of the owner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

_TABLE = """
CREATE TABLE IF NOT EXISTS apprun.migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    sql text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL,
    milliseconds integer NOT NULL,
    operation uuid NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class AppliedMigration:
    """A migration that the database has had."""

    version: int
    name: str
    sql: str
    checksum: str
    applied_at: datetime
    milliseconds: int
    operation: UUID


def prepare_record(database: psycopg.Connection[Any], *, owner: str) -> None:
    """Make the schema, as a superuser. Safe to repeat."""
    database.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS apprun AUTHORIZATION {}").format(sql.Identifier(owner)))


def read_record(session: psycopg.Connection[Any]) -> list[AppliedMigration]:
    """What the database has had, in order; its table is made when it isn't there."""
    session.execute("SET client_min_messages = warning")
    session.execute(_TABLE)
    rows = session.execute(
        "SELECT version, name, sql, checksum, applied_at, milliseconds, operation"
        " FROM apprun.migrations ORDER BY version"
    )
    return [AppliedMigration(*row) for row in rows]


def write_record(session: psycopg.Connection[Any], migration: AppliedMigration) -> None:
    """Add one, in the transaction of the migration."""
    session.execute(
        "INSERT INTO apprun.migrations (version, name, sql, checksum, applied_at, milliseconds, operation)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [
            migration.version,
            migration.name,
            migration.sql,
            migration.checksum,
            migration.applied_at,
            migration.milliseconds,
            migration.operation,
        ],
    )


def find_escapes(session: psycopg.Connection[Any], *, logins: Sequence[str]) -> list[str]:
    """What would let an application write past its limit, each as the begin of a sentence, in the present
    transaction's state: functions that run with their owner's rights, rules, and the right to make tables.

    To be called when nothing of the transaction but its commit is left: names are looked up in ``pg_catalog`` alone
    from here on, whatever the transaction has set.
    """
    session.execute("SET LOCAL search_path = pg_catalog")
    rows = session.execute(
        """
        SELECT 'the function ' || p.oid::regprocedure::text || ' would act with its owner''s rights'
        FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
        WHERE p.prosecdef AND r.rolname = current_user
        UNION ALL
        SELECT 'the rule ' || w.rulename::text || ' on ' || w.ev_class::regclass::text
               || ' would act with its owner''s rights'
        FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class JOIN pg_roles r ON r.oid = c.relowner
        WHERE w.ev_type <> '1' AND r.rolname = current_user
        UNION ALL
        SELECT login || ' could make tables in the schema ' || n.nspname::text
        FROM pg_namespace n, unnest(%(logins)s::text[]) AS login
        WHERE n.nspname !~ '^pg_' AND has_schema_privilege(login::name, n.oid, 'CREATE')
        """,
        {"logins": list(logins)},
    )
    return [row[0] for row in rows]


def count_relations(session: psycopg.Connection[Any]) -> int:
    """How many tables, views and sequences the database has, in the present transaction's state."""
    row = session.execute(
        "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'm', 'v', 'S', 'f')"
        " AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')"
    ).fetchone()
    assert row is not None, "an aggregate has a row"
    return int(row[0])
