"""Statements of a workspace in its own database, by the API, on real databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.audit.models import AuditEvent
from apps.common.actors import SYSTEM
from apps.common.models import IdempotencyRecord
from apps.common.tenancy import enter
from apps.databases.clients.pool import PoolKey
from apps.databases.errors import StatementFailed, StatementNotAllowed, TooManyQueries
from apps.databases.models import WorkspaceDatabase
from apps.databases.services.connections import runtime_pool
from apps.databases.services.queries import run_query
from apps.databases.tests.factories import suite_dsn
from apps.workspaces.models import Role
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db

_TABLES = """
CREATE TABLE app.item (id int PRIMARY KEY, name text, price numeric(10, 2), parent int REFERENCES app.item
    DEFERRABLE INITIALLY DEFERRED);
INSERT INTO app.item VALUES (1, 'one', 1.10), (2, 'two', 2.20);
CREATE FUNCTION app.sneak() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
    PERFORM set_config('role', 'none', false);
    PERFORM set_config('transaction_read_only', 'off', false);
    INSERT INTO app.item VALUES (99, 'sneaked');
    RETURN 1;
END $$;
"""


@pytest.fixture
def database(make_database: Any, workspace: Any) -> WorkspaceDatabase:
    made: WorkspaceDatabase = make_database(workspace)
    with psycopg.connect(suite_dsn(dbname=made.name)) as inside:
        inside.execute(f"SET ROLE {made.ddl_role}")
        inside.execute(_TABLES)
    return made


@pytest.fixture
def base(workspace: Any) -> str:
    return f"/api/v1/workspaces/{workspace.slug}/database"


@pytest.fixture(autouse=True)
def _own_pool() -> Any:
    yield
    runtime_pool().close()


def _ask(client: APIClient, base: str, sql: str, params: Any = None, **more: Any) -> Any:
    body = {"sql": sql, **({} if params is None else {"params": params}), **more}
    return client.post(f"{base}/query", body, format="json")


def _rows(database: WorkspaceDatabase) -> list[int]:
    with psycopg.connect(suite_dsn(dbname=database.name)) as inside:
        return [row[0] for row in inside.execute("SELECT id FROM app.item ORDER BY 1")]


def test_a_query_with_names(database: Any, api: APIClient, base: str) -> None:
    answer = _ask(api, base, "select id, name, price from item where id = :id or name = :name", {"id": 1, "name": "x"})
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "columns": [
                {"name": "id", "type": "int4"},
                {"name": "name", "type": "text"},
                {"name": "price", "type": "numeric"},
            ],
            "rows": [[1, "one", "1.10"]],
            "truncated": False,
            "count": 1,
        },
    )


def test_fault_28_values_are_inert(database: Any, api: APIClient, base: str) -> None:
    for hostile in ("' or 1=1 --", "1); drop table item; --", ":id", "$1", "\\'; delete from item"):
        answer = _ask(api, base, "select count(*) from item where name = :name", {"name": hostile})
        assert answer.json()["rows"] == [[0]]
    assert _rows(database) == [1, 2]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("insert into item values (3)", "statement_not_allowed"),
        ("with x as (insert into item values (3) returning 1) select * from x", "statement_not_allowed"),
        ("select sneak()", "statement_failed"),
        ("select set_config('transaction_read_only', 'off', true), * from item for update", "statement_not_allowed"),
        ("explain analyze delete from item", "statement_not_allowed"),
        ("select nextval('s')", "statement_failed"),
        ("select lo_create(0)", "statement_failed"),
        ("set role none", "statement_not_allowed"),
        ("commit", "statement_not_allowed"),
        ("select 1; delete from item", "statement_not_allowed"),
        ("drop table item", "statement_not_allowed"),
        ("copy item to program 'id'", "statement_not_allowed"),
        ("do $$ begin delete from item; end $$", "statement_not_allowed"),
        ("", "blank"),
        ("-- nothing", "statement_not_allowed"),
    ],
)
def test_reading_changes_nothing(database: Any, api: APIClient, base: str, sql: str, code: str) -> None:
    refused = _ask(api, base, sql)
    told = refused.json()
    assert refused.status_code == 400, told
    assert code in (told["code"], *(error["code"] for error in told.get("errors", [])))
    assert _rows(database) == [1, 2]


def test_writing_is_audited_and_committed(database: Any, workspace: Any, api: APIClient, base: str) -> None:
    insert = "insert into item (id, name) values (:id, :name) returning id"
    written = _ask(api, base, insert, {"id": 3, "name": "three"}, write=True)
    assert (written.status_code, written.json()["rows"], written.json()["count"]) == (200, [[3]], 1)
    assert _ask(api, base, "update item set name = 'x'", write=True).json()["count"] == 3
    assert _rows(database) == [1, 2, 3]
    with enter(workspace):
        events = AuditEvent.objects.filter(action="database.write").order_by("at", "id")
        assert [event.changes["rows"] for event in events] == [[None, 1], [None, 3]]
        assert "three" not in str(events[0].changes)
        assert events[1].changes["sql"] == [None, "update item set name = …"]


def test_rows_are_sealed_where_an_answer_is_kept(database: Any, api: APIClient, base: str) -> None:
    body = {"sql": "SELECT 'nobody else reads this' AS said"}
    asked = [api.post(f"{base}/query", body, headers={"Idempotency-Key": "once"}) for _ in range(2)]
    assert [answer.json()["rows"] for answer in asked] == [[["nobody else reads this"]]] * 2
    assert asked[1]["Idempotency-Replayed"] == "true"
    kept = IdempotencyRecord.objects.get(key="once")
    assert kept.sealed
    assert b"nobody else" not in bytes(kept.body)


def test_what_a_write_may_not(database: Any, api: APIClient, base: str) -> None:
    for sql, sqlstate in (
        ("with t as (select 1) select * into made from t", "42501"),
        ("truncate pg_catalog.pg_class", "42501"),
        ("insert into item values (1)", "23505"),
        ("insert into item (id, parent) values (3, 77)", "23503"),
    ):
        refused = _ask(api, base, sql, write=True)
        assert (refused.status_code, refused.json().get("sqlstate")) == (400, sqlstate), refused.json()
    assert _rows(database) == [1, 2]


def test_an_error_points_into_what_was_sent(database: Any, api: APIClient, base: str) -> None:
    sql = "select :identifier::int, nothing from item"
    told = _ask(api, base, sql, {"identifier": 1}).json()
    assert (told["code"], told["sqlstate"], told["position"]) == ("statement_failed", "42703", sql.index("nothing") + 1)
    assert told["errors"][0]["pointer"] == "/sql"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/sql"),
        ({"sql": 5}, "/sql"),
        ({"sql": "select 1", "params": [1]}, "/params"),
        ({"sql": "select :a", "params": {}}, "/params/a"),
        ({"sql": "select 1", "params": {"a": 1}}, "/params/a"),
        ({"sql": "select 1", "write": "yes"}, "/write"),
        ({"sql": "select " + "1" * 70_000}, "/sql"),
        ({"sql": "select 1", "other": 1}, "/other"),
    ],
)
def test_bad_input_points_at_itself(database: Any, api: APIClient, base: str, body: Any, pointer: str) -> None:
    answer = api.post(f"{base}/query", body, format="json")
    assert answer.status_code == 400
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


def test_who_may_query(
    database: Any, workspace: Any, base: str, make_user: Any, make_client: Callable[..., APIClient]
) -> None:
    viewer, stranger = make_user(), make_user()
    add_member(workspace, viewer, "viewer")
    for client, status in ((make_client(viewer), 403), (make_client(stranger), 404), (make_client(), 401)):
        assert _ask(client, base, "select 1").status_code == status


def test_reading_alone_does_not_let_one_write(
    database: Any, workspace: Any, base: str, make_user: Any, make_client: Callable[..., APIClient]
) -> None:

    reader = make_user()
    role = Role.objects.create(workspace=workspace, code="reader", name="Reader", codes=["databases.query"])
    add_member(workspace, reader, role)
    client = make_client(reader)
    assert _ask(client, base, "select 1").status_code == 200
    refused = _ask(client, base, "insert into item values (3)", write=True)
    assert (refused.status_code, refused.json()["permission"]) == (403, "databases.write")
    assert _rows(database) == [1, 2]


def test_nothing_of_one_statement_is_left_for_the_next(database: Any) -> None:
    def ask(sql: str, *, write: bool = False) -> Any:
        result = run_query(workspace=database.workspace, sql=sql, write=write, actor=SYSTEM, now=timezone.now())
        return result.rows[0]

    first = ask(
        "select pg_backend_pid(), set_config('app.mine', 'secret', false), set_config('search_path', 'x', false)"
    )
    later = ask(
        "select pg_backend_pid(), coalesce(current_setting('app.mine', true), ''), current_setting('search_path')"
    )
    assert later == [first[0], "", "app"]
    assert ask("select current_user::text, session_user::text") == [database.read_role, database.login("a")]
    assert ask("select current_user::text", write=True) == [database.app_role]


def test_so_many_statements_at_once_and_no_more(database: Any, settings: Any) -> None:
    begun, go_on = threading.Barrier(settings.DATABASE_QUERIES_AT_ONCE + 1), threading.Event()
    pool = runtime_pool()

    def hold() -> None:

        key = PoolKey(database.pk, database.secret_version)
        connect = lambda: psycopg.connect(suite_dsn(dbname=database.name), autocommit=True)  # noqa: E731
        with pool.connection(key, connect=connect, prepare=lambda _: None):
            begun.wait(10)
            go_on.wait(10)

    threads = [threading.Thread(target=hold) for _ in range(settings.DATABASE_QUERIES_AT_ONCE)]
    for thread in threads:
        thread.start()
    begun.wait(10)
    try:
        with pytest.raises(TooManyQueries):
            run_query(workspace=database.workspace, sql="select 1", actor=SYSTEM, now=timezone.now())
    finally:
        go_on.set()
        for thread in threads:
            thread.join()
    assert run_query(workspace=database.workspace, sql="select 1", actor=SYSTEM, now=timezone.now()).rows == [[1]]


def test_calling_a_service_without_the_api(database: Any) -> None:
    with pytest.raises(StatementNotAllowed):
        run_query(workspace=database.workspace, sql="vacuum", write=True, actor=SYSTEM, now=timezone.now())
    with pytest.raises(StatementFailed):
        run_query(workspace=database.workspace, sql="select 1/0", actor=SYSTEM, now=timezone.now())
    few = run_query(
        workspace=database.workspace, sql="select generate_series(1, 9)", max_rows=2, actor=SYSTEM, now=timezone.now()
    )
    assert (few.rows, few.truncated, few.count) == ([[1], [2]], True, None)
