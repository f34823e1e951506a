"""Scripts are split, and names bound, where PostgreSQL would."""

from __future__ import annotations

import pytest

from apps.common.errors import InvalidInput
from apps.databases.services.sql_text import bind_names, split_statements, without_values


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        (" ; ;\n-- nothing; really\n/* no; /* nested; */ no; */ ;", []),
        ("select 1; select 2", ["select 1", "select 2"]),
        ("select ';', \"a;b\", E'it\\';s', $$ a; $$, $x$ $$ ; $y$ $x$;select 3;", 2),
        ("create rule r as on insert to t do also (select 1; select 2); select 3", 2),
        ("create function f() returns int begin atomic select case when true then 1 end; select 2; end; select 4", 2),
        ("CREATE OR REPLACE FUNCTION f() RETURNS int AS $f$ begin; end; $f$ LANGUAGE plpgsql; select 1", 2),
        ("create procedure p() begin atomic insert into t values (1); end", 1),
        ("select 'a' -- it's; here\n, 'b'; select 5", 2),
        ("select 'open; select 1", 1),
        ("select $1; select a$b$c; select 1", 3),
        ("select U&'\\0441;' ; select 1", 2),
    ],
)
def test_scripts_are_split_where_postgresql_would(script: str, expected: object) -> None:
    found = [statement.text for statement in split_statements(script)]
    assert (found if isinstance(expected, list) else len(found)) == expected


def test_a_statement_knows_its_line_and_words() -> None:
    first, second = split_statements("-- one\n\ncreate table t ();\n /* two */\nALTER Table t add x int;")
    assert (first.line, first.words) == (3, ("create", "table", "t"))
    assert (second.line, second.words[:2]) == (5, ("alter", "table"))


def test_names_become_parameters_outside_of_texts_only() -> None:
    bound = bind_names(
        "select :a, ':a', x::text, :b, :a -- :c\n, \"d:d\" , $$:e$$, items[1:n], at[ :a]", {"a": 1, "b": 2}
    )
    assert bound.text == "select $1, ':a', x::text, $2, $1 -- :c\n, \"d:d\" , $$:e$$, items[1:n], at[ $1]"
    assert bound.values == (1, 2)


def test_a_position_is_told_in_the_callers_text() -> None:
    sql = "select :first, :second, nothing"
    bound = bind_names(sql, {"first": 1, "second": 2})
    assert bound.original_position(bound.text.index("nothing") + 1) == sql.index("nothing") + 1
    assert bound.original_position(3) == 3


@pytest.mark.parametrize(("params", "pointer"), [({}, "/params/id"), ({"id": 1, "other": 2}, "/params/other")])
def test_names_and_values_must_fit(params: dict[str, int], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        bind_names("select :id", params)
    assert [error.pointer for error in caught.value.errors] == [pointer]


def test_a_hostile_text_is_read_in_linear_time() -> None:
    for text in ("'" * 200_001, "/*" * 100_000, "$" * 200_000, "$a" * 100_000, "e'\\" * 60_000, ":a" * 50_000):
        assert len(split_statements(text)) <= 1


@pytest.mark.parametrize(
    ("sql", "left"),
    [
        ("UPDATE t SET a = 'it''s', b = 1.5e3 WHERE c = :c", "UPDATE t SET a = …, b = … WHERE c = :c"),
        ("insert into \"T 1\" values (E'\\'x', $q$ it's $q$, U&'x', -7)", 'insert into "T 1" values (…, …, …, -…)'),
        ("SELECT 1 -- of Ada\n/* born /* in */ 1815 */ , x1", "SELECT … , x1"),
        ("SELECT 'never closed", "SELECT …"),
        ("SELECT $q$ never closed", "SELECT …"),
    ],
)
def test_constants_and_comments_are_left_out(sql: str, left: str) -> None:
    assert without_values(sql) == left
