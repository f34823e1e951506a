"""One statement that somebody else wrote: its values, its types, its bounds."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection as platform_connection

from apps.common.errors import InvalidInput
from apps.databases.clients.statements import Bounds, StatementResult, run_statement
from apps.databases.clients.values import OUTPUT_SETTINGS
from apps.databases.errors import (
    ResultTooLarge,
    StatementFailed,
    StatementTimeout,
    WorkspaceDatabaseUnavailable,
)

_BOUNDS = Bounds(rows=100, size=100_000, seconds=10)


@pytest.fixture
def session(db: None) -> Iterator[psycopg.Connection[Any]]:
    params = platform_connection.get_connection_params()
    wanted = {name: params[name] for name in ("host", "port", "user", "password", "dbname") if params.get(name)}
    with psycopg.connect(**wanted, autocommit=True) as opened:
        for name, value in OUTPUT_SETTINGS.items():
            opened.execute("SELECT set_config(%s, %s, false)", [name, value])
        yield opened


def _run(
    session: psycopg.Connection[Any], text: str, *values: Any, bounds: Bounds = _BOUNDS, keep_all: bool = False
) -> StatementResult:
    return run_statement(session, text=text, values=values, bounds=bounds, keep_all=keep_all)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1.10::numeric", "1.10"),
        ("9007199254740993::bigint", 9007199254740993),
        ("0.1::float8", 0.1),
        ("'NaN'::float8", "NaN"),
        ("true", True),
        ("null::int", None),
        ("timestamptz '2026-01-02 03:04:05.678+08'", "2026-01-01T19:04:05.678Z"),
        ("timestamp '2026-01-02 03:04:05'", "2026-01-02T03:04:05"),
        ("date '2026-01-02'", "2026-01-02"),
        ("timestamptz 'infinity'", "infinity"),
        ("interval '1 day 2 hours'", "P1DT2H"),
        ("'\\x00ff'::bytea", "AP8="),
        ("'{\"a\": [1, null]}'::jsonb", {"a": [1, None]}),
        ("array[1, null, 3]", [1, None, 3]),
        ("array[[1.5, 2]]::numeric[]", [["1.5", "2"]]),
        ("array['a,b', 'c\"d']", ["a,b", 'c"d']),
        ("'{}'::int[]", []),
        ("'0190f5d8-0000-7000-8000-000000000000'::uuid", "0190f5d8-0000-7000-8000-000000000000"),
        ("int4range(1, 5)", "[1,5)"),
        ("row(1, 'a')", "(1,a)"),
        ("repeat('[', 5000) || repeat(']', 5000)", "[" * 5000 + "]" * 5000),
        ("(repeat('[', 500) || repeat(']', 500))::json", "[" * 500 + "]" * 500),
    ],
)
def test_values_are_shown_as_json(session: psycopg.Connection[Any], expression: str, expected: object) -> None:
    [[value]] = _run(session, f"select {expression}").rows
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ("$1::uuid", "0190f5d8-0000-7000-8000-000000000000", "0190f5d8-0000-7000-8000-000000000000"),
        ("$1 + 1", 2, 3),
        ("$1 + 1", 2**40, 2**40 + 1),
        ("$1 + 1", 2**70, str(2**70 + 1)),
        ("$1 / 2", 1.5, 0.75),
        ("$1 and true", True, True),
        ("$1::text", "'; drop table x; --", "'; drop table x; --"),
        ("$1::text is null", None, True),
        ("3 = any($1)", [1, 2, 3], True),
        ("$1::text[]", ['a"b\\c,{}', None, "NULL", ""], ['a"b\\c,{}', None, "NULL", ""]),
        ("$1 -> 'a'", {"a": [1]}, [1]),
        ("jsonb_array_length($1)", [{"a": 1}, {"b": 2}], 2),
    ],
)
def test_parameters_take_the_type_of_their_place(
    session: psycopg.Connection[Any], place: str, value: object, expected: object
) -> None:
    assert _run(session, f"select {place}", value).rows == [[expected]]


def test_texts_that_postgresql_cannot_hold_are_refused(session: psycopg.Connection[Any]) -> None:
    for text in ("a\x00b", "\ud800"):
        with pytest.raises(InvalidInput):
            _run(session, "select $1::text", text)


def test_columns_and_counts(session: psycopg.Connection[Any]) -> None:
    nothing = _run(session, "select 1 as a, array['x'] as b where false")
    assert [(column.name, column.type) for column in nothing.columns] == [("a", "int4"), ("b", "text[]")]
    assert (nothing.rows, nothing.count, nothing.truncated) == ([], 0, False)
    session.execute("create temp table t (id int)")
    assert _run(session, "insert into t select generate_series(1, 7)", keep_all=True).count == 7
    returned = _run(session, "update t set id = id + 1 returning id", keep_all=True)
    assert (len(returned.rows), returned.count) == (7, 7)


def test_rows_beyond_the_bound_are_not_fetched(session: psycopg.Connection[Any]) -> None:
    began = time.monotonic()
    result = _run(session, "select generate_series(1, 2000000000)")
    assert (len(result.rows), result.truncated) == (100, True)
    assert time.monotonic() - began < 15
    assert _run(session, "select 1").rows == [[1]], "the session lives"


def test_exactly_as_many_rows_as_the_bound_are_whole(session: psycopg.Connection[Any]) -> None:
    assert not _run(session, "select generate_series(1, 100)").truncated
    assert _run(session, "select generate_series(1, 101)").truncated


def test_bytes_are_bounded(session: psycopg.Connection[Any]) -> None:
    result = _run(session, "select repeat('x', 30000) from generate_series(1, 50)")
    assert (len(result.rows), result.truncated) == (3, True)


def test_one_enormous_row_does_not_fill_the_memory(session: psycopg.Connection[Any]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = _run(session, "select repeat('x', 400000000)")
    assert (result.rows, result.truncated) == ([], True)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kB"


def test_a_statement_that_changes_something_is_run_to_its_end(session: psycopg.Connection[Any]) -> None:
    session.execute("create temp table t (id int)")
    result = _run(session, "insert into t select generate_series(1, 5000) returning id", keep_all=True)
    assert (len(result.rows), result.truncated, result.count) == (100, True, 5000)
    assert session.execute("select count(*) from t").fetchone() == (5000,)
    with pytest.raises(ResultTooLarge):
        _run(session, "select repeat('x', 50000000)", keep_all=True)


@pytest.mark.parametrize(
    ("text", "sqlstate", "position"),
    [
        ("select nothing", "42703", 8),
        ("select 1; select 2", "42601", None),
        ("select 1/0", "22012", None),
        ("selec 1", "42601", 1),
        ("copy (select 1) to stdout", "0A000", None),
    ],
)
def test_an_error_says_what_and_where(
    session: psycopg.Connection[Any], text: str, sqlstate: str, position: int | None
) -> None:
    with pytest.raises(StatementFailed) as caught:
        _run(session, text)
    assert (caught.value.sqlstate, caught.value.position) == (sqlstate, position)


def test_time_is_bounded_on_both_sides(session: psycopg.Connection[Any]) -> None:
    session.execute("set statement_timeout = 200")
    with pytest.raises(StatementTimeout):
        _run(session, "select pg_sleep(20)")
    session.execute("set statement_timeout = 0")
    began = time.monotonic()
    with pytest.raises(StatementTimeout):
        _run(session, "select pg_sleep(20)", bounds=Bounds(rows=1, size=1, seconds=0.1))
    assert time.monotonic() - began < 15
    assert session.closed


def test_a_server_that_ends_the_session_is_not_the_callers_fault(session: psycopg.Connection[Any]) -> None:
    with pytest.raises(WorkspaceDatabaseUnavailable):
        _run(session, "select pg_terminate_backend(pg_backend_pid())")
