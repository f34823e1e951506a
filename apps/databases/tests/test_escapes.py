"""Fault 55: logged in as a workspace, trying to leave its database. Everything here is tried on a real server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection as platform
from django.utils import timezone
from psycopg.errors import InsufficientPrivilege

from apps.databases.clients.postgres import environment_for_programs
from apps.databases.models import WorkspaceDatabase
from apps.databases.services.establishing import admit_logins
from apps.databases.services.secrets import open_password
from apps.databases.services.servers import libpq_environment, open_server, require_program
from apps.databases.services.servers.watching import check_server
from apps.databases.tests.factories import connect_as_login

#: What a login tries; {own}, {other}, {database}, {superuser} are filled in. Each must be denied.
DENIED = {
    "become somebody": (
        "SET ROLE {own}_ddl",
        "SET ROLE {other}_app",
        "SET ROLE {superuser}",
        "SET SESSION AUTHORIZATION {superuser}",
        "GRANT {own}_app TO {other}_a",
        "GRANT {own}_ddl TO {own}_a",
        "GRANT {own}_a TO {other}_a",
        "GRANT pg_read_all_data TO {own}_a",
        "ALTER ROLE {other}_a PASSWORD 'x'",
        "ALTER ROLE {own}_b PASSWORD 'x'",
        "CREATE ROLE intruder",
        "DROP ROLE {own}_b",
    ),
    "alter its own limits": (
        "ALTER ROLE CURRENT_USER CONNECTION LIMIT 1000",
        "ALTER ROLE CURRENT_USER VALID UNTIL 'infinity'",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "ALTER ROLE CURRENT_USER CREATEDB",
        "ALTER ROLE CURRENT_USER SET temp_file_limit = -1",
        "ALTER DATABASE {database} CONNECTION LIMIT 1000",
        "ALTER DATABASE {database} SET temp_file_limit = -1",
        "ALTER DATABASE {database} OWNER TO {own}_a",
        "ALTER DATABASE {database} RENAME TO mine",
        "SET temp_file_limit = -1",
        "ALTER SYSTEM SET max_connections = 1000",
    ),
    "make things": (
        "CREATE DATABASE mine",
        "CREATE SCHEMA mine",
        "CREATE EXTENSION pgcrypto",
        "CREATE EXTENSION dblink",
        "CREATE EXTENSION file_fdw",
        "CREATE TABLE app.mine (i int)",
        "CREATE TABLE public.mine (i int)",
        "CREATE TEMPORARY TABLE mine (i int)",
        "CREATE FUNCTION app.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FOREIGN DATA WRAPPER mine",
        "CREATE PUBLICATION mine",
        "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION pg_notify()",
        "CREATE TABLESPACE mine LOCATION '/tmp/mine'",
        "ALTER TABLE app.things ADD COLUMN more int",
        "DROP TABLE app.things",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {own}_ddl GRANT ALL ON TABLES TO PUBLIC",
    ),
    "reach the machine": (
        "COPY app.things TO PROGRAM 'id'",
        "COPY app.things TO '/tmp/things'",
        "COPY app.things FROM '/etc/passwd'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('.')",
        "SELECT pg_stat_file('PG_VERSION')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT pg_reload_conf()",
        "SELECT pg_rotate_logfile()",
        "SELECT pg_switch_wal()",
        "SELECT pg_create_restore_point('x')",
        "LOAD 'auto_explain'",
        "CHECKPOINT",
        "SELECT * FROM pg_hba_file_rules",
        "SELECT * FROM pg_file_settings",
        "SELECT * FROM pg_shmem_allocations",
    ),
    "read of others": (
        "SELECT * FROM pg_database",
        "SELECT datname FROM pg_database",
        "SELECT * FROM pg_roles",
        "SELECT rolconfig FROM pg_roles",
        "SELECT * FROM pg_authid",
        "SELECT * FROM pg_user",
        "SELECT * FROM pg_shadow",
        "SELECT * FROM pg_group",
        "SELECT * FROM pg_auth_members",
        "SELECT * FROM pg_db_role_setting",
        "SELECT * FROM pg_shdescription",
        "SELECT * FROM pg_shdepend",
        "SELECT * FROM pg_stat_activity",
        "SELECT query FROM pg_stat_activity",
        "SELECT * FROM pg_stat_get_activity(NULL)",
        "SELECT pg_stat_get_backend_activity(1)",
        "SELECT * FROM pg_stat_database",
        "SELECT pg_stat_get_db_numbackends(1)",
        "SELECT * FROM pg_stat_replication",
        "SELECT * FROM pg_stat_ssl",
        "SELECT * FROM pg_locks",
        "SELECT * FROM pg_prepared_xacts",
        "SELECT * FROM pg_replication_slots",
        "SELECT * FROM pg_stat_progress_vacuum",
        "SELECT pg_database_size('{other}')",
        "SELECT pg_terminate_backend({superuser_pid})",
        "SELECT pg_cancel_backend({superuser_pid})",
        "SELECT pg_terminate_backend({other_pid})",
    ),
    "use up what all share": (
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_try_advisory_lock(1)",
        "SELECT pg_advisory_xact_lock_shared(1, 2)",
        "SELECT lo_create(0)",
        "SELECT lo_creat(-1)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT pg_logical_emit_message(false, 'x', 'x')",
        "SELECT pg_create_logical_replication_slot('x', 'pgoutput')",
    ),
}


@pytest.fixture
def own(make_database: Any) -> WorkspaceDatabase:
    """A database with a table of its workspace, on a server that was looked at."""
    database: WorkspaceDatabase = make_database()
    check_server(database.server, now=timezone.now())
    with open_server(database.server, database=database.name) as inside:
        inside.execute(f"SET ROLE {database.ddl_role}")
        inside.execute("CREATE TABLE app.things (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, name text)")
        inside.execute("CREATE FUNCTION app.twice(int) RETURNS int LANGUAGE sql AS 'SELECT 2 * $1'")
    return database


@pytest.fixture
def client(own: WorkspaceDatabase) -> Iterator[psycopg.Connection[Any]]:
    with connect_as_login(own) as connection:
        yield connection


def test_fault_55_login_cannot_leave(own: WorkspaceDatabase, client: Any, make_database: Any) -> None:
    other = make_database()
    with connect_as_login(other) as neighbour, open_server(own.server) as server:
        names = {
            "own": own.prefix,
            "other": other.prefix,
            "database": own.name,
            "superuser": server.info.user,
            "superuser_pid": server.info.backend_pid,
            "other_pid": neighbour.info.backend_pid,
        }
        succeeded = []
        for attempt, statements in DENIED.items():
            for statement in statements:
                try:
                    client.execute(statement.format(**names))
                except InsufficientPrivilege:
                    continue
                except psycopg.Error as error:
                    succeeded.append(f"{attempt}: {statement}: {type(error).__name__} {error}")
                else:
                    succeeded.append(f"{attempt}: {statement}")
        assert not succeeded, "\n".join(succeeded)
        neighbour.execute("SELECT 1")
        server.execute("SELECT 1")


def test_fault_55_login_enters_no_other_database(own: WorkspaceDatabase, make_database: Any) -> None:
    other = make_database()
    for name in (other.name, "postgres", "template1", str(platform.settings_dict["NAME"])):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            connect_as_login(own, dbname=name)
    with pytest.raises(psycopg.OperationalError, match="template0"):
        connect_as_login(own, dbname="template0")
    for role in (own.ddl_role, own.app_role, own.read_role):
        with pytest.raises(psycopg.OperationalError, match=r"not permitted to log in|authentication failed"):
            connect_as_login(own, user=role)


def test_what_a_workspace_needs_works(own: WorkspaceDatabase, client: Any) -> None:
    """Rows, functions, the catalog of its own tables, cursors, prepared statements, what pools call."""
    client.execute("INSERT INTO things (name) VALUES ('a'), ('b')")
    client.execute("UPDATE things SET name = 'c' WHERE name = 'a'")
    client.execute("DELETE FROM things WHERE name = 'b'")
    assert client.execute("SELECT twice(21), name FROM things").fetchone() == (42, "c")
    with client.cursor() as cursor, cursor.copy("COPY things (name) FROM STDIN") as copy:
        copy.write_row(["d"])
    with client.transaction(), client.cursor("named") as cursor:
        assert cursor.execute("SELECT count(*) FROM things").fetchone() == (2,)
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'app'"
    assert client.execute(tables).fetchall() == [("things",)]
    client.execute("LISTEN something")
    client.execute("SELECT pg_advisory_unlock_all()")
    client.execute("DISCARD ALL")


@pytest.mark.parametrize(
    "command", [r"\d", r"\d things", r"\dt+", r"\di+", r"\df app.*", r"\dn+", r"\dp", r"\conninfo"]
)
def test_psql_describes(own: WorkspaceDatabase, command: str) -> None:
    assert run_program(own, "psql", "--no-psqlrc", "--command", command).returncode == 0


def test_workspace_dumps_its_database_by_itself(own: WorkspaceDatabase) -> None:
    dump = run_program(own, "pg_dump", "--no-subscriptions")
    assert dump.returncode == 0, dump.stderr
    assert "CREATE TABLE app.things" in dump.stdout


def run_program(database: WorkspaceDatabase, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = libpq_environment(
        database.server, database=database.name, user=database.login("a"), password=open_password(database)
    )
    program = require_program(name, server=database.server)
    return subprocess.run(
        [program, *arguments],
        env={**environment_for_programs(os.environ), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_read_role_only_reads(own: WorkspaceDatabase, client: Any) -> None:
    client.execute(f"SET ROLE {own.read_role}")
    client.execute("SELECT * FROM things")
    for statement in ("INSERT INTO things (name) VALUES ('x')", "UPDATE things SET name = ''", "DELETE FROM things"):
        with pytest.raises(InsufficientPrivilege):
            client.execute(statement)


def test_limits_hold(own: WorkspaceDatabase, settings: Any) -> None:

    settings.DATABASE_STATEMENT_TIMEOUT = timedelta(milliseconds=50)
    admit_logins(own)
    with connect_as_login(own) as client:
        assert client.execute("SHOW temp_file_limit").fetchone() == ("1GB",)
        assert client.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("1min",)
        with pytest.raises(psycopg.errors.QueryCanceled):
            client.execute("SELECT pg_sleep(5)")
    with open_server(own.server) as server:
        server.execute(f"ALTER ROLE {own.login('a')} CONNECTION LIMIT 1")
    with connect_as_login(own), pytest.raises(psycopg.OperationalError, match="too many connections"):
        connect_as_login(own)


def test_settings_that_a_login_gave_itself_are_forgotten(own: WorkspaceDatabase, client: Any) -> None:

    client.execute("ALTER ROLE CURRENT_USER SET statement_timeout = 0")
    client.execute(f"ALTER ROLE CURRENT_USER IN DATABASE {own.name} SET statement_timeout = 0")
    with connect_as_login(own) as later:
        assert later.execute("SHOW statement_timeout").fetchone() == ("0",)
    check_server(own.server, now=timezone.now())
    with connect_as_login(own) as later:
        assert later.execute("SHOW statement_timeout").fetchone() == ("30s",)
