"""Whole tables of a workspace's schema, out and in, by ``COPY`` in its text format (PostgreSQL documentation, "COPY").

The schema is named in every statement: nothing looks at a catalogue that holds thousands of them. How values are
written depends on the session, so both ways set what matters; the same rows are the same bytes on every server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

from django.db import connection, transaction

from apps.common.schema_shapes import TableShape
from apps.common.tenancy import SchemaRef, enter

#: Dates, floats and bytes as text, in one way only: shortest exact floats, UTC, ISO 8601 (PostgreSQL, "Locale and
#: Formatting").
_WRITTEN_SO = (
    "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres';"
    " SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'"
)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPED = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)

#: A day inside of what Python's datetime holds, so that no time zone leads out of it.
_FIRST_MOMENT, _LAST_MOMENT = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
_ITEM = re.compile(r'"((?:[^"\\]|\\.)*)"|[^",{}\\]+', re.DOTALL)


@contextmanager
def snapshot(schema_name: str, tables: Sequence[str]) -> Iterator[None]:
    """A read-only transaction in which all tables are as they were at one moment, whoever writes meanwhile.

    The tables are locked against DDL first (``ACCESS SHARE``, as pg_dump does): what a migration is changing is waited
    for. Within a transaction of the caller's it is that one's isolation that counts.
    """
    outermost = not connection.in_atomic_block
    with enter(SchemaRef(schema_name)), transaction.atomic(), connection.cursor() as cursor:
        if outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(f"LOCK TABLE {', '.join(_named(schema_name, table) for table in tables)} IN ACCESS SHARE MODE")
        cursor.execute(_WRITTEN_SO)
        yield


def copy_out(schema_name: str, table: TableShape, *, instead: Mapping[str, str | None]) -> Iterator[bytes]:
    """The rows in the order of their key, in pieces that end with a row; columns in ``instead`` have that value.

    Inside ``snapshot`` or ``loading``.
    """
    columns = ", ".join(
        f"{_literal(instead[name])} AS {_quoted(name)}" if name in instead else _quoted(name) for name in table.columns
    )
    order = ", ".join(_quoted(name) for name in table.key)
    query = f"COPY (SELECT {columns} FROM {_named(schema_name, table.name)} ORDER BY {order}) TO STDOUT"  # noqa: S608
    with connection.cursor() as cursor, cast(Any, cursor).copy(query) as copy:
        for piece in copy:
            yield bytes(piece)


@contextmanager
def loading() -> Iterator[None]:
    """Read and write in the caller's transaction as rows are written in archives."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITTEN_SO)
    yield


def copy_in(schema_name: str, table: TableShape, pieces: Iterable[bytes]) -> None:
    """Load rows, in the caller's transaction. Raises django.db.DatabaseError for rows that the table refuses."""
    columns = ", ".join(_quoted(name) for name in table.columns)
    query = f"COPY {_named(schema_name, table.name)} ({columns}) FROM STDIN"
    with (
        connection.cursor() as cursor,
        cast(Any, connection).wrap_database_errors,
        cast(Any, cursor).copy(query) as copy,
    ):
        for piece in pieces:
            copy.write(piece)


def implausible_column(schema_name: str, table: TableShape) -> str | None:
    """A column with a value that its type allows and no program of ours writes, or None: a moment that Python has none
    for (``infinity``, the years before Christ), a text that isn't among the choices, JSON that isn't an object.

    Reads the table once. In the caller's transaction.
    """
    rules: list[tuple[str, str, list[Any]]] = [
        *((name, "{} BETWEEN %s AND %s", [_FIRST_MOMENT, _LAST_MOMENT]) for name in table.moments),
        *((name, "jsonb_typeof({}) = 'object'", []) for name in table.objects),
        *((name, "{} = ANY(%s)", [list(texts)]) for name, texts in table.choices),
    ]
    if not rules:
        return None
    holds = ", ".join(f"bool_and({rule.format(_quoted(name))})" for name, rule, _ in rules)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {holds} FROM {_named(schema_name, table.name)}",  # noqa: S608
            [value for _, _, values in rules for value in values],
        )
        found = cursor.fetchone()
    return next((name for (name, _, _), held in zip(rules, found, strict=True) if held is False), None)


def analyze(schema_name: str, tables: Iterable[str]) -> None:
    """Tell the planner what was loaded."""
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {', '.join(_named(schema_name, table) for table in tables)}")


def decode_row(line: bytes, columns: Sequence[str]) -> dict[str, str | None]:
    """One row of the text format, without its end of line. Raises ValueError when it has other columns."""
    fields = line.decode().split("\t")
    if len(fields) != len(columns):
        raise ValueError(f"A row has {len(fields)} columns instead of {len(columns)}")
    return {name: _decoded(field) for name, field in zip(columns, fields, strict=True)}


def decode_array(text: str) -> list[str]:
    """The texts of an array of one dimension as PostgreSQL writes it ("Array Input and Output Syntax").

    Raises ValueError for whatever else, and for NULL in it.
    """
    if not (text.startswith("{") and text.endswith("}")):
        raise ValueError("This is not an array")
    rest, items = text[1:-1], []
    while rest:
        found = _ITEM.match(rest)
        if found is None or found[0] == "NULL":
            raise ValueError("This is not an array of texts")
        items.append(re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL) if found[1] is not None else found[0])
        rest = rest[found.end() :]
        if rest and not (rest.startswith(",") and len(rest) > 1):
            raise ValueError("This is not an array of texts")
        rest = rest[1:]
    return items


def _decoded(field: str) -> str | None:
    if field == r"\N":
        return None
    return _ESCAPED.sub(_unescaped, field) if "\\" in field else field


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code[0].isdigit():
        return chr(int(code, 8) & 0xFF)
    return _ESCAPES.get(code, code)


def _quoted(name: str) -> str:
    return str(connection.ops.quote_name(name))


def _named(schema_name: str, table: str) -> str:
    return f"{_quoted(schema_name)}.{_quoted(table)}"


def _literal(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"
