"""Fault 55: workspaces that write their migrations, and use their logins, to get past what bounds them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.utils import timezone
from psycopg.errors import InsufficientPrivilege

from apps.common.actors import SYSTEM
from apps.databases.clients.closing import close_databases
from apps.databases.clients.inspection import logins_admitted
from apps.databases.clients.roles import login_sessions
from apps.databases.models import KeptDatabase, WorkspaceDatabase
from apps.databases.services.backups.requests import request_backup
from apps.databases.services.deletion import drop_from_server
from apps.databases.services.establishing import establish_database, shut_out
from apps.databases.services.migration_requests import request_migrations
from apps.databases.services.restores.kept import open_for_reading
from apps.databases.services.restores.requests import request_restore
from apps.databases.services.rotation import look_at_draining_logins, rotate_secret
from apps.databases.services.servers import open_server
from apps.databases.services.storage import bound_growth
from apps.databases.tests.factories import connect_as_login, run_at_once, run_steps
from apps.operations.models import Operation
from apps.operations.services.engine import run_operation

pytestmark = pytest.mark.django_db


def migrate(database: WorkspaceDatabase, text: str, *, version: int = 1) -> Operation:
    """One migration, run as a worker runs it."""
    request = request_migrations(
        workspace=database.workspace,
        migrations=[{"version": version, "name": f"step {version}", "sql": text}],
        dry_run=False,
        actor=SYSTEM,
        now=timezone.now(),
    )
    assert request.operation_id is not None
    run_operation(operation_id=request.operation_id, owner="test", clock=timezone.now)
    operation: Operation = Operation.objects.get(pk=request.operation_id)
    return operation


def make_full(database: WorkspaceDatabase) -> None:
    database.writes_revoked_at = timezone.now()
    bound_growth(database)


@contextlib.contextmanager
def insisting(database: WorkspaceDatabase) -> Iterator[None]:
    """Sessions of the first login that give it a password of their own all the time."""
    stop = threading.Event()

    def insist() -> None:
        with (
            contextlib.suppress(psycopg.OperationalError),
            connect_as_login(database, user=database.login("a")) as client,
        ):
            while not stop.is_set():
                with contextlib.suppress(psycopg.errors.InternalError_):  # "tuple concurrently updated"
                    client.execute("ALTER ROLE CURRENT_USER PASSWORD 'mine'")

    threads = [threading.Thread(target=insist) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.fixture
def own(make_database: Any) -> WorkspaceDatabase:
    database: WorkspaceDatabase = make_database()
    return database


def test_fault_55_migration_lets_a_login_make_tables(own: WorkspaceDatabase) -> None:
    failed = migrate(own, f"GRANT CREATE ON SCHEMA app TO {own.login('a')}")
    assert "could make tables in the schema app" in failed.error["detail"]


def test_fault_55_login_that_is_retired_gives_itself_a_password_all_the_time(own: WorkspaceDatabase) -> None:
    run_steps(rotate_secret(workspace=own.workspace, actor=SYSTEM, now=timezone.now()))
    with insisting(own):
        look_at_draining_logins(now=timezone.now() + timedelta(days=30))
        run_steps(Operation.objects.get(kind="databases.retire", target_id=str(own.pk)))
        with open_server(own.server) as server:
            query = "SELECT rolpassword IS NULL, rolconnlimit > 0 FROM pg_authid WHERE rolname = %s"
            assert server.execute(query, [own.login("a")]).fetchone() == (True, True)


def test_fault_55_login_that_is_shut_out_alters_itself_all_the_time(own: WorkspaceDatabase) -> None:
    """PostgreSQL refuses who changes a role at the same moment."""
    with insisting(own):
        shut_out(own)
        with open_server(own.server) as server:
            assert logins_admitted(server, [own.login("a"), own.login("b")]) == {
                own.login("a"): False,
                own.login("b"): False,
            }
            assert login_sessions(server, own.login("a")) == []


def test_fault_54_rights_that_may_be_handed_on_are_taken_with_what_was_handed_on(own: WorkspaceDatabase) -> None:
    migrate(
        own, f"CREATE TABLE app.things (id int); GRANT INSERT, UPDATE ON app.things TO {own.app_role} WITH GRANT OPTION"
    )
    with connect_as_login(own) as client:
        client.execute(f"SET ROLE {own.app_role}; GRANT INSERT ON app.things TO {own.login('a')}; RESET ROLE")
        make_full(own)
        with pytest.raises(InsufficientPrivilege):
            client.execute("INSERT INTO things VALUES (1)")


def test_fault_54_tables_in_the_schema_of_the_record_are_bounded_too(own: WorkspaceDatabase) -> None:
    migrate(
        own,
        "CREATE TABLE apprun.more (id int); GRANT USAGE ON SCHEMA apprun TO PUBLIC;"
        " GRANT INSERT ON apprun.more TO PUBLIC;"
        f" GRANT INSERT ON apprun.more TO {own.app_role}",
    )
    make_full(own)
    with connect_as_login(own) as client, pytest.raises(InsufficientPrivilege):
        client.execute("INSERT INTO apprun.more VALUES (1)")


_GROW = "CREATE FUNCTION app.grow() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'SELECT'"
_MADE_LATE = f"""
    CREATE FUNCTION app.late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {_GROW}; RETURN NULL; END $$;
"""


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "CREATE FUNCTION app.never(name, name) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT false';"
            "CREATE OPERATOR app.= (LEFTARG = name, RIGHTARG = name, FUNCTION = app.never);"
            f"{_GROW}; SET search_path = app, pg_catalog",
            id="an operator in place of PostgreSQL's",
        ),
        pytest.param(
            f"{_MADE_LATE} CREATE TRIGGER late AFTER INSERT ON apprun.migrations EXECUTE FUNCTION app.late()",
            id="with the record",
        ),
        pytest.param(
            f"{_MADE_LATE} CREATE CONSTRAINT TRIGGER late AFTER INSERT ON apprun.migrations"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.late()",
            id="with the commit",
        ),
        pytest.param(
            f"CREATE FUNCTION app.late() RETURNS int LANGUAGE plpgsql AS $$ BEGIN {_GROW}; RETURN 1; END $$;"
            "DECLARE later CURSOR WITH HOLD FOR SELECT app.late()",
            id="by a cursor that is kept at the commit",
        ),
    ],
)
def test_fault_54_functions_with_the_owners_rights_are_found_however_they_are_made(
    own: WorkspaceDatabase, text: str
) -> None:
    done = migrate(own, text)
    with open_server(own.server, database=own.name) as inside:
        query = "SELECT count(*) FROM pg_proc WHERE proname = 'grow' AND prosecdef"
        assert inside.execute(query).fetchone() == (0,), done.status


def test_fault_60_kept_database_is_read_only_for_whoever_was_granted_more(own: WorkspaceDatabase) -> None:
    migrate(
        own,
        "CREATE TABLE app.things (id int); GRANT ALL ON app.things TO PUBLIC;"
        f" GRANT ALL ON app.things TO {own.login('a')}, {own.read_role}",
    )
    open_for_reading(database=own, name=own.name)
    with connect_as_login(own, options="-c default_transaction_read_only=off") as client:
        client.execute("SELECT * FROM things")
        for statement in ("INSERT INTO things VALUES (1)", "DELETE FROM things", "TRUNCATE things"):
            with pytest.raises(InsufficientPrivilege):
                client.execute(statement)


def test_fault_55_grants_to_anothers_roles_are_not_in_the_way_of_its_deletion(
    own: WorkspaceDatabase, make_database: Any
) -> None:
    victim = make_database()
    migrate(
        own,
        f"CREATE TABLE app.things (id int); GRANT SELECT ON app.things TO {victim.login('a')}, {victim.ddl_role};"
        f" ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {victim.app_role};"
        f" CREATE POLICY mine ON app.things TO {victim.read_role}",
    )
    drop_from_server(victim)
    with open_server(own.server) as server:
        close_databases(server)
        query = "SELECT rolname FROM pg_roles WHERE starts_with(rolname::text, %s)"
        assert server.execute(query, [victim.prefix]).fetchall() == []
    with connect_as_login(own) as client:
        client.execute("SELECT * FROM app.things")


def test_fault_54_what_a_restored_dump_makes_for_itself_is_taken_back(own: WorkspaceDatabase) -> None:
    """A function in a CHECK constraint is run for each row that is loaded, as the owner, and no migration."""
    with open_server(own.server, database=own.name) as inside:
        inside.execute(f"GRANT CREATE ON DATABASE {own.name} TO {own.ddl_role}; SET ROLE {own.ddl_role}")
        inside.execute(
            f'CREATE TABLE app.things (id int); {_GROW}; CREATE SCHEMA "Fr ee";'
            'CREATE PROCEDURE "Fr ee"."g""o"(int, "char") LANGUAGE sql SECURITY DEFINER AS \'SELECT\';'
            "CREATE RULE more AS ON DELETE TO app.things DO ALSO INSERT INTO app.things VALUES (1);"
            f'GRANT ALL ON SCHEMA app, "Fr ee" TO PUBLIC, {own.login("a")}'
        )
        inside.execute(f"RESET ROLE; REVOKE CREATE ON DATABASE {own.name} FROM {own.ddl_role}")
    establish_database(own)
    with open_server(own.server, database=own.name) as inside:
        query = (
            "SELECT (SELECT count(*) FROM pg_proc WHERE prosecdef AND pronamespace <> 11),"
            " (SELECT count(*) FROM pg_rewrite WHERE rulename = 'more')"
        )
        assert inside.execute(query).fetchone() == (0, 0)
    with connect_as_login(own) as client:
        for table in ("app.mine", '"Fr ee".mine'):
            with pytest.raises(InsufficientPrivilege):
                client.execute(f"CREATE TABLE {table} (i int)")


def test_fault_54_no_role_of_a_workspace_may_call_what_makes_or_reads_large_objects(own: WorkspaceDatabase) -> None:
    """By what is behind them, not by our list of names: a later PostgreSQL may have more of them."""
    with open_server(own.server, database=own.name) as inside:
        functions = (
            "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.prosrc ~ '^(be_)?lo_|^be_lo(read|write)$'"
            " AND p.pronamespace = 'pg_catalog'::regnamespace"
        )
        assert len(inside.execute(functions).fetchall()) >= 18
        callable_ = f"{functions} AND has_function_privilege(%s, p.oid, 'EXECUTE')"
        for role in (own.ddl_role, own.app_role, own.read_role, own.login("a"), own.login("b")):
            assert inside.execute(callable_, [role]).fetchall() == [], role


def test_fault_54_a_dump_makes_no_large_objects_while_it_is_loaded(
    own: WorkspaceDatabase, backup_folder: Path, tmp_path: Path, settings: Any
) -> None:
    settings.DATABASE_RESTORE_FOLDER = str(tmp_path / "restores")
    make = (
        "CREATE FUNCTION app.hoard() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN"
        " PERFORM pg_catalog.lo_from_bytea(0, 'hoarded'); RETURN true;"
        " EXCEPTION WHEN insufficient_privilege THEN RETURN true; END $$;"
        "CREATE TABLE app.things (id int CHECK (app.hoard())); INSERT INTO app.things VALUES (1)"
    )
    assert migrate(own, make).status == "succeeded"
    act: Any = {"workspace": own.workspace, "actor": SYSTEM, "now": timezone.now()}
    made = run_at_once(lambda: request_backup(**act))
    backup_id = UUID(made.params["backup"])
    run_at_once(lambda: Operation.objects.get(pk=request_restore(backup_id=backup_id, into_new=True, **act)))
    kept = KeptDatabase.objects.get(database=own)
    for name in (own.name, kept.name):
        with open_server(own.server, database=name) as inside:
            assert inside.execute("SELECT count(*) FROM app.things").fetchone() == (1,)
            assert inside.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone() == (0,)
