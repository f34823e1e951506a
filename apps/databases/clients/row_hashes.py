"""What the tables of a database hold, in numbers that are equal for equal rows, whatever their order on disk.

A row's hash is that of its columns by PostgreSQL's own extended hash functions; a table's is the sum of its rows'.
These functions are what hash partitioning stands on, so they are the same in every version. Columns of other types
(json, arrays, what a workspace defines) are hashed as the text that their output function gives; never by a cast, which
a workspace could define and which would be run with our rights. Generated columns are computed anew by a restore.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg import IsolationLevel, sql

from apps.databases.errors import DumpFailed

#: Where the platform keeps the record of a database's migrations (apps/databases/clients/applied.py).
PLATFORM_SCHEMA = "apprun"
#: Built-in types whose own hash tells apart what their text does (numeric: but for zeros at the end).
_NATIVE = (
    "bool bytea char date float4 float8 inet int2 int4 int8 interval jsonb macaddr name numeric oid text time "
    "timestamp timestamptz timetz uuid varchar"
).split()
_TABLES = """
    SELECT n.nspname::text, c.relname::text,
           coalesce(array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attname IS NOT NULL), '{}'),
           coalesce(array_agg(a.atttypid = ANY (%s::regtype[]) AND coalesce(o.collisdeterministic, true)
                              ORDER BY a.attnum) FILTER (WHERE a.attname IS NOT NULL), '{}')
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_catalog.pg_attribute a
        ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      LEFT JOIN pg_catalog.pg_collation o ON o.oid = a.attcollation
     WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
     GROUP BY 1, 2 ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class TableRows:
    """A table: how many rows, and the sum of their hashes as a decimal number."""

    schema: str
    name: str
    rows: int
    hash: str

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PinnedTables:
    """What a transaction sees: its snapshot's name for others, and a query for each table that it holds."""

    snapshot: str
    queries: Mapping[tuple[str, str], sql.Composed]


@contextmanager
def pin_tables(connection: psycopg.Connection[Any]) -> Iterator[PinnedTables]:
    """A read-only snapshot of the database of a superuser's idle connection, in which no table can change its nature.

    Every table is locked (as by a reader) **before** the snapshot is taken. So what is listed as a table in it is one,
    also when it is read: a workspace that puts a view of that name in its place, to have its functions run with our
    rights, waits for our end. Raises DumpFailed, to be tried again, when tables were made at this moment.
    """
    known = {(row[0], row[1]) for row in connection.execute(_TABLES, [_NATIVE])}
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    with connection.transaction(force_rollback=True):
        if known:
            names = sql.SQL(", ").join(sql.SQL("ONLY {}").format(sql.Identifier(*name)) for name in sorted(known))
            connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(names))
        row = connection.execute("SELECT pg_catalog.pg_export_snapshot()").fetchone()
        assert row is not None
        listed = connection.execute(_TABLES, [_NATIVE]).fetchall()
        if {(one[0], one[1]) for one in listed} - known:
            raise DumpFailed("Tables were made while the dump was about to begin.")
        yield PinnedTables(row[0], {(one[0], one[1]): _query(*one) for one in listed})


def hash_rows(
    connection: psycopg.Connection[Any], pinned: PinnedTables, *, watch: Callable[[], None] = lambda: None
) -> list[TableRows]:
    """The rows of every pinned table, in its snapshot. ``watch`` is called before each table and may raise."""
    connection.execute("SET LOCAL max_parallel_workers_per_gather = 0")
    connection.execute("SET LOCAL statement_timeout = 0")
    found = []
    for (schema, name), query in pinned.queries.items():
        watch()
        row = connection.execute(query).fetchone()
        assert row is not None
        found.append(TableRows(schema, name, row[0], row[1]))
    return found


def totals(tables: Iterable[TableRows]) -> dict[str, int]:
    """``{tables, rows}`` as a workspace counts them: without what the platform keeps in its database. That is hashed
    and compared as all the rest."""
    own = [table for table in tables if table.schema != PLATFORM_SCHEMA]
    return {"tables": len(own), "rows": sum(table.rows for table in own)}


def differences(wanted: Iterable[Mapping[str, Any]], found: Iterable[TableRows]) -> list[str]:
    """One sentence for each table that isn't as it was written down, by name; empty when all are."""
    expected = {f"{table['schema']}.{table['name']}": table for table in wanted}
    there = {table.label: table for table in found}
    said = []
    for label in sorted(expected.keys() | there.keys()):
        want, have = expected.get(label), there.get(label)
        if have is None:
            said.append(f"The table {label} is missing.")
        elif want is None:
            said.append(f"The table {label} is too many.")
        elif have.rows != want["rows"]:
            said.append(f"The table {label} has {have.rows} rows, not {want['rows']}.")
        elif have.hash != want["hash"]:
            said.append(f"The rows of the table {label} differ.")
    return said


def _query(schema: str, name: str, columns: Sequence[str], native: Sequence[bool]) -> sql.Composed:
    values = [
        sql.Identifier("t", column) if own else sql.SQL("pg_catalog.concat({})").format(sql.Identifier("t", column))
        for column, own in zip(columns, native, strict=True)
    ]
    record = sql.SQL("pg_catalog.hash_record_extended(ROW({}), 0)").format(sql.SQL(", ").join(values))
    return sql.SQL("SELECT count(*), coalesce(sum({}), 0)::pg_catalog.text FROM ONLY {} AS t").format(
        record if values else sql.SQL("0"), sql.Identifier(schema, name)
    )
