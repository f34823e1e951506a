"""The record of migrations in a workspace's database itself: written in the transaction of the migration, so that it
and the tables can't disagree, and kept with the tables in every backup.

It is a table of the owner's in a schema of its own, ``apprun``, of which applications see nothing. Every function but
the first takes a session of the owner.
"""

from __future__ import annotations

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


def find_escapes(session: psycopg.Connection[Any]) -> list[str]:
    """Functions that run with their owner's rights, and rules: with either an application could write past its
    limit. By name, in the present transaction's state."""
    rows = session.execute(
        """
        SELECT 'the function ' || p.oid::pg_catalog.regprocedure::text
        FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_roles r ON r.oid = p.proowner
        WHERE p.prosecdef AND r.rolname = current_user
        UNION ALL
        SELECT 'the rule ' || w.rulename::text || ' on ' || w.ev_class::pg_catalog.regclass::text
        FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_class c ON c.oid = w.ev_class
        JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
        WHERE w.ev_type <> '1' AND r.rolname = current_user
        """
    )
    return [row[0] for row in rows]
