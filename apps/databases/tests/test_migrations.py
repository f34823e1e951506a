"""Migrations of workspaces' databases, by the operation, on real databases."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.billing.tests.factories import quota_of
from apps.common.actors import SYSTEM
from apps.databases.models import SchemaMigration, WorkspaceDatabase
from apps.databases.services.migration_requests import request_migrations
from apps.databases.tests.factories import connect_as_login, suite_dsn
from apps.events.models import Event
from apps.operations.models import Operation
from apps.operations.services.engine import run_operation
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db


def _scripts(*texts: str, first: int = 1) -> list[dict[str, Any]]:
    return [{"version": first + n, "name": f"step {first + n}", "sql": text} for n, text in enumerate(texts)]


def _migrate(database: WorkspaceDatabase, *texts: str, first: int = 1, dry_run: bool = False) -> Operation:
    """The operation, run as a worker runs it."""
    request = request_migrations(
        workspace=database.workspace,
        migrations=_scripts(*texts, first=first),
        dry_run=dry_run,
        actor=SYSTEM,
        now=timezone.now(),
    )
    assert request.operation_id is not None
    run_operation(operation_id=request.operation_id, owner="test", clock=timezone.now)
    database.refresh_from_db()
    operation: Operation = Operation.objects.get(pk=request.operation_id)
    return operation


def _tables(database: WorkspaceDatabase) -> list[str]:
    with psycopg.connect(suite_dsn(dbname=database.name)) as inside:
        rows = inside.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'app' ORDER BY 1")
        return [row[0] for row in rows]


def _record(database: WorkspaceDatabase) -> list[tuple[int, str]]:
    with psycopg.connect(suite_dsn(dbname=database.name)) as inside:
        return inside.execute("SELECT version, checksum FROM apprun.migrations ORDER BY 1").fetchall()


def test_migrations_are_applied_in_order_recorded_twice_and_skipped_the_next_time(make_database: Any) -> None:
    database = make_database()
    done = _migrate(
        database,
        "create table customer (id int primary key, name text); -- one;\ninsert into customer values (1, 'a;b');",
        "create function total() returns bigint language sql begin atomic select count(*) from customer; end;",
    )
    assert (done.status, done.error) == ("succeeded", None)
    assert done.result["revision"] == database.revision == 2
    assert [one["version"] for one in done.result["applied"]] == [1, 2]
    rows = SchemaMigration.objects.filter(database=database)
    assert _record(database) == [(row.version, row.checksum) for row in rows]
    assert {row.operation_id for row in rows} == {done.pk}
    with connect_as_login(database) as login:
        assert login.execute("SELECT total()").fetchone() == (1,)
        login.execute("INSERT INTO customer VALUES (2, 'c')")
    again = _migrate(
        database,
        "create table customer (id int primary key, name text); -- one;\ninsert into customer values (1, 'a;b');",
        "create function total() returns bigint language sql begin atomic select count(*) from customer; end;",
        "alter table customer add column city text",
    )
    assert (again.result["skipped"], [one["version"] for one in again.result["applied"]]) == ([1, 2], [3])
    assert database.revision == 3
    assert quota_of(database.workspace, "database.bytes").reserved == 0
    assert Event.objects.filter(type="database.migrated").count() == 3


_ADD = "create table b (id int); "
_FAILING = {
    "row": (
        "create table b (id int);\n\ninsert into a values (1), (1);",
        "statement 2 (line 3, “insert into a values (1), (1)”): duplicate key",
    ),
    "syntax": (_ADD + "selec 1", "statement 2 (line 1, “selec 1”): syntax error"),
    "index_concurrently": (_ADD + "create index concurrently on a (id)", "[25001]"),
    "vacuum": (_ADD + "vacuum a", "[25001]"),
    "create_database": (_ADD + "create database other", "statement 2"),
    "commit_in_do": (_ADD + "do $$ begin commit; end $$", "invalid transaction termination"),
    "commit_in_procedure": (
        _ADD + "create procedure p() language plpgsql as $$ begin commit; end $$; call p()",
        "invalid transaction termination",
    ),
    "copy": (_ADD + "copy a from program 'id'", "statement 2"),
    "superuser": (_ADD + "alter role current_user superuser", "[42501]"),
    "authorization": (_ADD + "set session authorization apprun", "[42501]"),
    "deferred": (
        "create table b (id int references a deferrable initially deferred); insert into b values (9)",
        "at its end",
    ),
    "definer": (
        _ADD + "create function f() returns int language sql security definer as 'select 1'",
        "the function app.f() would act with its owner's rights",
    ),
    "rule": (_ADD + "create rule r as on delete to a do also insert into a values (2)", "the rule r on app.a would"),
    "own_record": (
        _ADD + "insert into apprun.migrations select 2, '', '', '', now(), 0, gen_random_uuid()",
        "at its end: duplicate key",
    ),
}


@pytest.mark.parametrize("case", _FAILING)
def test_fault_56_a_migration_fails_in_the_middle_and_leaves_nothing(make_database: Any, case: str) -> None:
    failing, told = _FAILING[case]
    database = make_database()
    failed = _migrate(database, "create table a (id int primary key)", failing, "create table c (id int)")
    assert failed.status == "failed"
    assert failed.error["code"] == "migration_failed"
    assert "Migration 2 “step 2”" in failed.error["detail"]
    assert told in failed.error["detail"]
    assert "at revision 1" in failed.error["detail"]
    assert _tables(database) == ["a"]
    assert (database.revision, [version for version, _ in _record(database)]) == (1, [1])
    assert list(SchemaMigration.objects.values_list("version", flat=True)) == [1]
    assert quota_of(database.workspace, "database.bytes").reserved == 0
    mended = _migrate(database, "create table b (id int)", first=2)
    assert (mended.status, _tables(database)) == ("succeeded", ["a", "b"])


def test_resetting_the_role_gives_a_migration_nothing(make_database: Any) -> None:
    database = make_database()
    reset = "reset role; reset session authorization; set role none;"
    told = "create table t as select current_user::text as me, session_user::text as us"
    assert _migrate(database, f"{reset} {told}").status == "succeeded"
    with connect_as_login(database) as login:
        assert login.execute("SELECT me, us FROM t").fetchone() == (database.ddl_role, database.ddl_role)


def test_what_a_migration_gives_its_role_is_gone_afterwards(make_database: Any) -> None:
    database = make_database()
    _migrate(
        database,
        "alter role current_user password 'known'",
        "alter role current_user set work_mem = '1GB'; alter role current_user in database "
        + database.name
        + " set x.y=1",
    )
    with psycopg.connect(suite_dsn()) as server:
        row = server.execute(
            "SELECT rolcanlogin, rolpassword, (SELECT count(*) FROM pg_db_role_setting WHERE setrole = a.oid)"
            " FROM pg_authid a WHERE rolname = %s",
            [database.ddl_role],
        ).fetchone()
    assert row == (False, None, 0)


def test_a_dry_run_really_runs_and_changes_nothing(make_database: Any) -> None:
    database = make_database()
    tried = _migrate(database, "create table a (id int)", "insert into a values (1)", dry_run=True)
    assert (tried.status, tried.result["dry_run"]) == ("succeeded", True)
    assert [one["version"] for one in tried.result["applied"]] == [1, 2]
    assert (_tables(database), database.revision, _record(database)) == ([], 0, [])
    failed = _migrate(database, "create table a (id int)", "insert into nothing values (1)", dry_run=True)
    assert "This was a dry run: nothing was changed." in failed.error["detail"]
    assert _tables(database) == []


def test_a_migration_that_would_fill_the_database_is_undone(make_database: Any) -> None:
    database = make_database(limit_bytes=60 * 1024 * 1024)
    full = _migrate(database, "create table a (id int)", "create table b as select generate_series(1, 2000000) as n")
    assert (full.status, full.error["code"]) == ("failed", "quota_exceeded")
    assert (_tables(database), database.revision) == (["a"], 1)


def test_retry_goes_on_after_what_was_applied(make_database: Any) -> None:
    """A worker that dies after a commit leaves the record in the database alone."""
    database = make_database()
    _migrate(database, "create table a (id int)")
    SchemaMigration.objects.all().delete()
    WorkspaceDatabase.objects.update(revision=0)
    done = _migrate(database, "create table a (id int)", "create table b (id int)")
    assert (done.status, done.result["skipped"], database.revision) == ("succeeded", [1], 2)
    assert list(SchemaMigration.objects.values_list("version", flat=True)) == [1, 2]


# ---- the endpoints


@pytest.fixture
def base(workspace: Any) -> str:
    return f"/api/v1/workspaces/{workspace.slug}/database"


def _post(client: APIClient, base: str, migrations: object, **more: Any) -> Any:
    body = json.dumps({"migrations": migrations, **more})
    return client.post(f"{base}/migrate", body, content_type="application/json")


def test_migrating_by_the_api(make_database: Any, workspace: Any, api: APIClient, base: str) -> None:
    database = make_database(workspace)
    answer = _post(api, base, _scripts("create table a (id int)"))
    assert answer.status_code == 202
    assert answer["Location"] == f"/api/v1/operations/{answer.json()['id']}"
    run_operation(operation_id=answer.json()["id"], owner="test", clock=timezone.now)
    [shown] = api.get(f"{base}/migrations").json()["items"]
    assert (shown["version"], shown["name"], shown["sql"]) == (1, "step 1", "create table a (id int)")
    changed = _post(api, base, _scripts("create table b (id int)"))
    assert (changed.status_code, changed.json()["code"], changed.json()["version"]) == (409, "migration_changed", 1)
    _migrate(database, "select 1", first=5)
    late = _post(api, base, _scripts("select 1", first=3))
    assert (late.status_code, late.json()["code"], late.json()["version"]) == (409, "migration_out_of_order", 3)


@pytest.mark.parametrize(
    ("migrations", "pointer", "code"),
    [
        ([], "/migrations", "min_length"),
        ([{"version": 0, "name": "a", "sql": "select 1"}], "/migrations/0/version", "min_value"),
        ([{"version": "1", "name": "a", "sql": "select 1"}], "/migrations/0/version", "wrong_type"),
        ([{"version": 1, "name": "a", "sql": " -- nothing"}], "/migrations/0/sql", "blank"),
        ([{"version": 1, "name": "a"}], "/migrations/0/sql", "required"),
        ([{"version": 1, "name": "a", "sql": "select 1;\n commit"}], "/migrations/0/sql", "transaction_control"),
        ([{"version": 1, "name": "a", "sql": "prepare transaction 'x'"}], "/migrations/0/sql", "transaction_control"),
        ([{"version": 1, "name": "a", "sql": "x" * 600_000}], "/migrations/0/sql", "too_long"),
        (_scripts("select 1") * 2, "/migrations/1/version", "not_ascending"),
        (_scripts(*["select 1"] * 101), "/migrations", "too_many"),
    ],
)
def test_what_can_not_be_run_is_refused_at_once(
    make_database: Any, workspace: Any, api: APIClient, base: str, migrations: Any, pointer: str, code: str
) -> None:
    answer = _post(api, base, migrations)
    assert answer.status_code == 400, answer.json()
    assert (pointer, code) in [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert not Operation.objects.filter(kind="databases.migrate").exists()


def test_without_room_nothing_begins(make_database: Any, workspace: Any, api: APIClient, base: str) -> None:
    make_database(workspace, limit_bytes=1024)
    answer = _post(api, base, _scripts("create table a (id int)"))
    assert (answer.status_code, answer.json()["code"]) == (402, "quota_exceeded")
    assert {"dimension", "limit", "used"} <= answer.json().keys()
    assert not Operation.objects.filter(kind="databases.migrate").exists()


def test_who_may_migrate(
    make_database: Any, workspace: Any, base: str, make_user: Any, make_client: Callable[..., APIClient]
) -> None:

    make_database(workspace)
    viewer, stranger = make_user(), make_user()
    add_member(workspace, viewer, "viewer")
    assert _post(make_client(viewer), base, _scripts("select 1")).status_code == 403
    assert make_client(viewer).get(f"{base}/migrations").status_code == 200
    for client, status in ((make_client(stranger), 404), (make_client(), 401)):
        assert _post(client, base, _scripts("select 1")).status_code == status
        assert client.get(f"{base}/migrations").status_code == status


def test_without_a_database_there_is_nothing_to_migrate(workspace: Any, api: APIClient, base: str) -> None:
    assert _post(api, base, _scripts("select 1")).json()["code"] == "database_not_found"
    assert api.get(f"{base}/migrations").json()["items"] == []


_MANY = "".join(f"create table t{n} (id int primary key);" for n in range(40))
_LOOP = "do $$ begin for n in 1..40 loop execute 'create table t' || n || ' (id int primary key)'; end loop; end $$"
_ENDLESS = """
do $$ declare n int := 0; begin
  loop
    begin n := n + 1; execute 'create table t' || n || ' (id int)';
    exception when query_canceled then null; end;
    perform pg_sleep(0.01);
  end loop;
end $$
"""


@pytest.mark.parametrize("text", [_MANY, _LOOP, _ENDLESS], ids=["statements", "a loop", "a loop that never ends"])
def test_fault_54_a_migration_that_takes_everybodys_locks_is_refused_and_leaves_nothing(
    make_database: Any, settings: Any, text: str
) -> None:
    settings.DATABASE_MIGRATION_LOCKS = 50
    database = make_database()
    failed = _migrate(database, "create table a (id int primary key)", text)
    assert (failed.status, failed.error["code"]) == ("failed", "migration_failed")
    told = re.search(r"It holds (\d+) locks at once, and 50 are allowed.* Split the migration", failed.error["detail"])
    assert told is not None
    assert 50 < int(told[1]) < 200
    assert "at revision 1" in failed.error["detail"]
    assert (_tables(database), database.revision) == (["a"], 1)
    mended = _migrate(database, "create table b (id int)", first=2)
    assert (mended.status, _tables(database)) == ("succeeded", ["a", "b"])


def test_fault_54_a_database_has_only_so_many_tables(make_database: Any, settings: Any) -> None:
    settings.DATABASE_RELATIONS = 4  # with the record of migrations
    database = make_database()
    failed = _migrate(database, "create table a (id int); create table b (id int)", "create table c (id serial)")
    assert "there would be 5 tables, views and sequences, and 4 are allowed" in failed.error["detail"]
    assert (_tables(database), database.revision) == (["a", "b"], 1)
    settings.DATABASE_RELATIONS = 1
    dropped = _migrate(database, "drop table b", first=2)
    assert (dropped.status, _tables(database)) == ("succeeded", ["a"]), "what is too much already may become less"
