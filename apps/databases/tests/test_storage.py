"""The storage limit, in the databases themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.billing.services.quotas import reconsider_limits
from apps.billing.tests.factories import quota_of, set_limit
from apps.common.actors import SYSTEM
from apps.common.errors import QuotaExceeded
from apps.common.ids import new_id
from apps.common.tenancy import enter
from apps.databases.clients.roles import RoleNames
from apps.databases.models import KeptDatabase, WorkspaceDatabase
from apps.databases.models.kept_database import KeptOrigin
from apps.databases.services.connections import runtime_pool
from apps.databases.services.migration_requests import request_migrations
from apps.databases.services.space import release_space, reserve_space, room_left
from apps.databases.services.storage import bound_growth, measure_database, measure_databases
from apps.databases.tasks import measure_one
from apps.databases.tests.factories import add_suite_server, connect_as_login, suite_dsn
from apps.events.models import Event
from apps.operations.services.requests import request_operation
from apps.plans.models import PlanLimit

pytestmark = pytest.mark.django_db

_DENIED = psycopg.errors.InsufficientPrivilege


@pytest.fixture
def database(make_database: Any, workspace: Any) -> WorkspaceDatabase:
    made: WorkspaceDatabase = make_database(workspace)
    _as_owner(
        made, "CREATE TABLE app.item (id serial PRIMARY KEY, name text); INSERT INTO app.item (name) VALUES ('a')"
    )
    return made


@pytest.fixture
def session(database: WorkspaceDatabase) -> Iterator[psycopg.Connection[Any]]:
    """The workspace's login, connected all the time."""
    with connect_as_login(database) as opened:
        yield opened


def _as_owner(database: WorkspaceDatabase, text: str) -> None:
    with psycopg.connect(suite_dsn(dbname=database.name), autocommit=True) as inside:
        inside.execute(f"SET ROLE {database.ddl_role}; SET search_path = app")
        inside.execute(text)


def _limit(database: WorkspaceDatabase, size: int | None) -> WorkspaceDatabase:
    """Set the limit of its workspace, and measure."""
    set_limit(database.workspace, "database.bytes", size)
    measure_databases(now=timezone.now())
    database.refresh_from_db()
    return database


def test_sizes_are_measured_with_kept_copies(database: Any) -> None:
    with psycopg.connect(suite_dsn(), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {database.prefix}_kept")
        [expected] = server.execute(
            "SELECT sum(pg_database_size(datname))::bigint FROM pg_database WHERE starts_with(datname::text, %s)",
            [database.prefix],
        ).fetchone() or (0,)
    kept = KeptDatabase.objects.create(
        database=database,
        name=f"{database.prefix}_kept",
        origin=KeptOrigin.COPY,
        operation_id=new_id(),
        keep_until=timezone.now(),
    )
    now = timezone.now()
    assert measure_databases(now=now) == 1
    database.refresh_from_db()
    kept.refresh_from_db()
    assert abs(database.size_bytes - expected) < 100_000
    assert 1_000_000 < kept.size_bytes < database.size_bytes
    assert database.size_measured_at == now


def test_fault_54_over_quota_insert_is_refused_and_delete_works_in_an_open_session(database: Any, session: Any) -> None:
    session.execute("INSERT INTO item (name) VALUES ('b')")
    assert _limit(database, 1024).writes_revoked_at is not None
    for statement in (
        "INSERT INTO item (name) VALUES ('c')",
        "UPDATE item SET name = 'c'",
        "CREATE TEMP TABLE t (id int)",
    ):
        with pytest.raises(_DENIED):
            session.execute(statement)
    with pytest.raises(_DENIED):
        session.execute("SELECT lo_from_bytea(0, 'x')")
    assert session.execute("SELECT count(*) FROM item").fetchone() == (2,)
    assert session.execute("DELETE FROM item WHERE name = 'b'").rowcount == 1
    session.execute("TRUNCATE item")
    _as_owner(database, "CREATE TABLE later (id int)")
    with pytest.raises(_DENIED):
        session.execute("INSERT INTO later VALUES (1)")
    session.execute("DELETE FROM later")

    assert _limit(database, None).writes_revoked_at is None
    session.execute("INSERT INTO item (name) VALUES ('d')")
    session.execute("INSERT INTO later VALUES (1)")
    _as_owner(database, "CREATE TABLE latest (id int)")
    session.execute("INSERT INTO latest VALUES (1)")
    events = Event.objects.filter(type__in=["database.over_limit", "database.below_limit"]).order_by("at", "id")
    assert [event.type for event in events] == ["database.over_limit", "database.below_limit"]


def test_full_database_comes_below_its_limit_by_truncate_where_delete_does_not_help(
    database: Any, session: Any
) -> None:
    empty = _limit(database, None).size_bytes
    session.execute("INSERT INTO item (name) SELECT repeat('x', 1000) FROM generate_series(1, 5000)")
    limit = empty + 2_000_000
    assert _limit(database, limit).writes_revoked_at is not None
    session.execute("DELETE FROM item WHERE id < (SELECT max(id) FROM item)")
    with psycopg.connect(suite_dsn(dbname=database.name), autocommit=True) as inside:
        inside.execute("VACUUM app.item")
    assert _limit(database, limit).writes_revoked_at is not None, "one row on the last page keeps the file"
    session.execute("TRUNCATE item")
    assert _limit(database, limit).writes_revoked_at is None
    session.execute("INSERT INTO item (name) VALUES ('a')")


def test_a_workspaces_own_grants_go_over_the_limit_and_its_logins_write_again_below_it(
    database: Any, session: Any
) -> None:
    login, role = database.login("a"), database.read_role
    _as_owner(database, f"GRANT INSERT ON item TO {login}, {role}; GRANT UPDATE (name) ON item TO PUBLIC")
    _limit(database, 1024)
    _limit(database, None)
    session.execute("INSERT INTO item (name) VALUES ('b'); UPDATE item SET name = 'c'")
    query = (
        "SELECT has_table_privilege(%s, 'app.item', 'INSERT'), has_column_privilege(%s, 'app.item', 'name', 'UPDATE')"
    )
    with psycopg.connect(suite_dsn(dbname=database.name)) as inside:
        assert inside.execute(query, [role, role]).fetchone() == (False, False)


def test_the_limit_is_the_plans_and_has_slack_before_it_is_lifted(database: Any) -> None:
    size = _limit(database, None).size_bytes
    assert _limit(database, size - 1).limit_bytes == size - 1
    assert database.writes_revoked_at is not None
    assert _limit(database, size).writes_revoked_at is not None, "just below isn't below yet"
    assert _limit(database, size * 2).writes_revoked_at is None


def test_grants_that_a_migration_made_do_not_get_round_it(database: Any, session: Any) -> None:
    _limit(database, 1024)
    roles = RoleNames.of(database)
    _as_owner(
        database,
        f"GRANT INSERT ON item TO {roles.a}, PUBLIC; GRANT INSERT (name), UPDATE (name) ON item TO {roles.app}",
    )
    session.execute("SELECT 1")
    bound_growth(database)
    for statement in ("INSERT INTO item (name) VALUES ('c')", "UPDATE item SET name = 'c'"):
        with pytest.raises(_DENIED):
            session.execute(statement)


def test_a_write_by_the_api_says_that_the_storage_is_full(database: Any, workspace: Any, api: APIClient) -> None:
    _limit(database, 1024)
    path = f"/api/v1/workspaces/{workspace.slug}/database/query"
    refused = api.post(path, {"sql": "insert into item (name) values ('c')", "write": True}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (402, "quota_exceeded")
    assert (refused.json()["dimension"], refused.json()["limit"]) == ("database.bytes", 1024)
    freed = api.post(path, {"sql": "delete from item", "write": True}, format="json")
    assert (freed.status_code, freed.json()["count"]) == (200, 1)
    runtime_pool().close()


def test_a_server_that_does_not_answer_holds_up_no_other(database: Any, database_server: Any) -> None:

    add_suite_server(name="a-gone", admin_dsn=suite_dsn(port=1))
    assert measure_databases(now=timezone.now()) == 1


# ---- room that is set aside


def _operation(database: WorkspaceDatabase) -> Any:
    return request_operation(
        kind="databases.migrate",
        target_id=database.pk,
        workspace_id=database.workspace_id,
        actor=SYSTEM,
        now=timezone.now(),
    )


def test_two_can_not_reserve_the_same_room(database: Any) -> None:
    measured = measure_database(database_id=database.pk, now=timezone.now())
    set_limit(database.workspace, "database.bytes", measured.size_bytes + 1000)
    first, second = _operation(database).pk, _operation(database).pk
    _reserve(database, first, 600)
    _reserve(database, first, 700)
    with pytest.raises(QuotaExceeded) as caught:
        _reserve(database, second, 301)
    assert caught.value.extra == {
        "dimension": "database.bytes",
        "limit": measured.size_bytes + 1000,
        "used": measured.size_bytes,
        "reserved": 700,
        "resets_at": None,
    }
    now = timezone.now()
    assert room_left(measured, operation_id=first, beside=0, now=now) == measured.size_bytes + 1000
    assert room_left(measured, operation_id=second, beside=100, now=now) == measured.size_bytes + 200
    release_space(workspace_id=database.workspace_id, operation_id=first, now=now)
    _reserve(database, second, 1000)


def _reserve(database: WorkspaceDatabase, operation_id: Any, size_bytes: int) -> None:
    reserve_space(database=database, operation_id=operation_id, size_bytes=size_bytes, now=timezone.now())


def test_a_raised_limit_gives_writing_back_by_itself_and_a_lowered_one_takes_it_after_its_grace(
    database: Any, session: Any, django_capture_on_commit_callbacks: Any, settings: Any
) -> None:
    limits = PlanLimit.objects.filter(plan_id=database.workspace.plan_code, dimension_id="database.bytes")
    _limit(database, 1024)
    with pytest.raises(_DENIED):
        session.execute("INSERT INTO item (name) VALUES ('b')")
    now = timezone.now()
    with django_capture_on_commit_callbacks() as sent, enter(database.workspace):
        reconsider_limits(workspace=database.workspace, dimensions=["database.bytes"], now=now)
    assert "databases.measure_one" in {getattr(call, "args", [None])[0] for call in sent}
    measure_one(str(database.pk))
    session.execute("INSERT INTO item (name) VALUES ('b')")

    limits.update(soft_limit=None, hard_limit=1024)
    with enter(database.workspace):
        reconsider_limits(workspace=database.workspace, dimensions=["database.bytes"], now=now)
    assert measure_database(database_id=database.pk, now=now).writes_revoked_at is None
    later = now + settings.QUOTA_GRACE
    assert measure_database(database_id=database.pk, now=later).writes_revoked_at == later
    with pytest.raises(_DENIED):
        session.execute("INSERT INTO item (name) VALUES ('c')")
    session.execute("DELETE FROM item")


def test_a_request_that_is_refused_leaves_no_reservation(database: Any) -> None:
    _limit(database, 1024)
    with pytest.raises(QuotaExceeded):
        request_migrations(
            workspace=database.workspace,
            migrations=[{"version": 1, "name": "a", "sql": "select 1"}],
            actor=SYSTEM,
            now=timezone.now(),
        )
    assert quota_of(database.workspace, "database.bytes").reserved == 0
