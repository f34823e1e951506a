"""Loading dumps with the real pg_restore: by whom, and what it says when it can't."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from apps.databases.clients.loaders import LoaderTerms, drop_loaders, loader_login
from apps.databases.clients.pg_restore import load_dump
from apps.databases.clients.postgres import change_catalog
from apps.databases.clients.restore_target import create_closed_database, drop_database, names_beginning_with
from apps.databases.errors import DumpNotRestorable
from apps.databases.tests.test_swap import address
from config.testing.processes import wait_for

#: What a workspace could write to become more than it is, when somebody else loads its rows.
STEP_OUT = """
CREATE FUNCTION app.step_out(text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('app.armed', true) = 'no' THEN RETURN true; END IF;
  PERFORM set_config('role', 'none', false);
  EXECUTE 'ALTER ROLE "OWNER" SUPERUSER';
  RETURN true;
EXCEPTION WHEN insufficient_privilege THEN
  RETURN true;
END $$
"""


class Place:
    """A database with a schema ``app`` of the role ``*_ddl``, and a name for what is restored beside it."""

    def __init__(self, server: psycopg.Connection[Any], stem: str) -> None:
        self.server, self.stem = server, stem
        self.name, self.owner, self.fresh, self.login = stem, f"{stem}_ddl", f"{stem}_n1", f"{stem}_l1"
        self.terms = LoaderTerms(
            owner=self.owner, enter=lambda name: psycopg.connect(address(name), autocommit=True), seconds=10
        )

    def run(self, *statements: str) -> None:
        with psycopg.connect(address(self.name), autocommit=True) as inside:
            for statement in statements:
                inside.execute(statement)  # type: ignore[call-overload]

    def dump(self, path: Path) -> Path:
        subprocess.run(["pg_dump", "-Fc", "-Z0", "-f", str(path), address(self.name)], check=True)
        return path

    def load(self, path: Path, watch: Any = lambda _tables: None, *, limit: timedelta = timedelta(minutes=1)) -> None:
        create_closed_database(self.server, name=self.fresh, like=self.name, enter=self.terms.enter)
        with loader_login(self.server, name=self.login, database=self.fresh, jobs=2, terms=self.terms) as password:
            info = psycopg.conninfo.conninfo_to_dict(address(self.fresh))
            load_dump(
                program="pg_restore",
                dump=path,
                environment={
                    "PGHOST": str(info["host"]),
                    "PGPORT": str(info["port"]),
                    "PGUSER": self.login,
                    "PGPASSWORD": password,
                },
                database=self.fresh,
                role=self.owner,
                jobs=2,
                limit=limit,
                watch=watch,
            )

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(address(self.fresh)) as inside:
            return inside.execute(query).fetchall()  # type: ignore[call-overload]


@pytest.fixture
def place() -> Iterator[Place]:
    with psycopg.connect(address("postgres"), autocommit=True) as server:
        place = Place(server, f"load_{uuid4().hex}")
        server.execute(f'CREATE ROLE "{place.owner}"')
        server.execute(f'CREATE DATABASE "{place.name}" TEMPLATE template0')
        place.run(f'CREATE SCHEMA app AUTHORIZATION "{place.owner}"')
        yield place
        for name in names_beginning_with(server, place.stem):
            drop_database(server, name)
        drop_loaders(server, stem=f"{place.stem}_l", terms=place.terms)
        server.execute(f'DROP ROLE "{place.owner}"')


def plant(place: Place, function: str, name: str) -> None:
    """A table that runs the function ``name`` for each of its rows while it is loaded."""
    place.run(
        f'SET ROLE "{place.owner}"',
        function.replace("OWNER", place.owner),
        "SET app.armed = 'no'",
        f"CREATE TABLE app.trap (word text CHECK (app.{name}(word)))",
        "INSERT INTO app.trap VALUES ('x')",
    )


def test_everything_is_loaded_and_belongs_to_the_owner(place: Place, tmp_path: Path) -> None:
    place.run(
        f'SET ROLE "{place.owner}"',
        "CREATE TABLE app.note (id int PRIMARY KEY, text text); INSERT INTO app.note SELECT n, 'n' || n "
        "FROM generate_series(1, 1000) n; CREATE SEQUENCE app.counter; CREATE VIEW app.seen AS SELECT id FROM app.note",
    )
    seen: list[int] = []
    place.load(place.dump(tmp_path / "a.dump"), seen.append)
    assert place.ask("SELECT count(*), sum(id) FROM app.seen") == [(1000, 500500)]
    owners = place.ask(
        "SELECT DISTINCT r.rolname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'app'"
    )
    assert owners == [(place.owner,)]
    assert place.ask("SELECT count(*) FROM pg_roles WHERE starts_with(rolname::text, current_database() || '_l')") == [
        (0,)
    ]


def test_nobody_but_the_platform_enters_what_was_loaded(place: Place, tmp_path: Path) -> None:
    place.load(place.dump(tmp_path / "a.dump"))
    rows = place.server.execute(
        "SELECT datconnlimit, has_database_privilege(%s, datname, 'CONNECT'), "
        "has_database_privilege(%s, datname, 'CREATE') FROM pg_database WHERE datname = %s",
        [place.owner, place.owner, place.fresh],
    ).fetchall()
    assert rows == [(0, False, False)]


def test_fault_55_function_in_a_dump_does_not_become_a_superuser(place: Place, tmp_path: Path) -> None:
    """A CHECK constraint runs its function for each row that is loaded; it is nobody who could be returned to."""
    plant(place, STEP_OUT, "step_out")
    place.load(place.dump(tmp_path / "a.dump"))
    assert place.ask("SELECT count(*) FROM app.trap") == [(1,)]
    assert place.ask(f"SELECT rolsuper FROM pg_roles WHERE rolname = '{place.owner}'") == [(False,)]


#: What a function in a dump can do to have the login that loads it own and hold things.
ROOT_ITSELF = """
CREATE FUNCTION app.root(text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE loader text := session_user;
BEGIN
  IF current_setting('app.armed', true) = 'no' THEN RETURN true; END IF;
  EXECUTE format('GRANT CREATE, USAGE ON SCHEMA app TO %I', loader);
  EXECUTE format('GRANT SELECT ON app.other TO %I WITH GRANT OPTION', loader);
  EXECUTE format('ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO %I', loader);
  PERFORM set_config('role', 'none', false);
  CREATE TABLE app.mine (id int);
  CREATE FUNCTION app.mine() RETURNS int LANGUAGE sql AS 'SELECT 1';
  ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
  GRANT SELECT ON app.other TO PUBLIC;
  PERFORM set_config('role', 'OWNER', false);
  RETURN true;
END $$
"""

#: What never ends by itself.
ENDLESS = """
CREATE FUNCTION app.endless(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF current_setting('app.armed', true) = 'no' THEN RETURN true; END IF;
  LOOP PERFORM pg_sleep(0.01); END LOOP;
END $$
"""


def test_fault_55_login_that_came_to_own_things_is_dropped_and_the_owner_has_them(place: Place, tmp_path: Path) -> None:
    # A view: pg_restore empties a table before it loads it, in another session, and a GRANT on it then may fail.
    place.run(f'SET ROLE "{place.owner}"', "CREATE VIEW app.other AS SELECT 1 AS id")
    plant(place, ROOT_ITSELF, "root")
    place.load(place.dump(tmp_path / "a.dump"))
    owners = (
        "SELECT 'table', relowner::regrole::text FROM pg_class WHERE oid = 'app.mine'::regclass"
        " UNION ALL SELECT 'function', proowner::regrole::text FROM pg_proc WHERE proname = 'mine'"
    )
    assert place.ask(owners) == [("table", place.owner), ("function", place.owner)]
    assert place.ask(f"SELECT count(*) FROM pg_roles WHERE rolname = '{place.login}'") == [(0,)]


def test_login_that_a_dead_worker_left_is_dropped_with_its_sessions_and_what_names_it(place: Place) -> None:
    create_closed_database(place.server, name=place.fresh, like=place.name, enter=place.terms.enter)
    left = loader_login(place.server, name=place.login, database=place.fresh, jobs=2, terms=place.terms)
    with left as password, psycopg.connect(address(place.fresh), user=place.login, password=password) as session:
        # Another database, of this workspace or of another one, may name it too.
        place.run("CREATE TABLE app.note (id int)", f'GRANT SELECT ON app.note TO "{place.login}"')
        drop_loaders(place.server, stem=f"{place.stem}_l", terms=place.terms)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
        assert place.ask(f"SELECT count(*) FROM pg_roles WHERE rolname = '{place.login}'") == [(0,)]


def test_a_right_is_changed_though_another_session_changes_the_same_row(place: Place) -> None:
    grant = sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
        sql.Identifier(place.name), sql.Identifier(place.owner)
    )
    with psycopg.connect(address("postgres")) as other:
        other.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(place.name)))
        ending = threading.Timer(0.3, other.commit)
        ending.start()
        change_catalog(place.server, grant)
        ending.join()
    allowed = "SELECT has_database_privilege(%s, %s, 'CONNECT')"
    assert place.server.execute(allowed, [place.owner, place.name]).fetchone() == (True,)


def test_whoever_ends_a_load_ends_what_it_runs_on_the_server(place: Place, tmp_path: Path) -> None:
    """A killed pg_restore leaves its session to the statement that it is in, for as long as that takes."""
    plant(place, ENDLESS, "endless")

    def lose(tables: int) -> None:
        if tables:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        place.load(place.dump(tmp_path / "a.dump"), lose)
    left = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    assert place.ask(left) == [(0,)]


@pytest.mark.parametrize("trap", ["CHECK", "INDEX"])
def test_fault_54_dump_whose_function_never_ends_is_ended_by_its_limit(place: Place, tmp_path: Path, trap: str) -> None:
    """Each statement may be a short one or never end: it is the whole load that is bounded."""
    plant(place, ENDLESS, "endless")
    if trap == "INDEX":
        place.run(
            "SET app.armed = 'no'",
            "ALTER TABLE app.trap DROP CONSTRAINT trap_word_check",
            "CREATE INDEX ON app.trap (app.endless(word))",
        )
    began = time.monotonic()
    with pytest.raises(DumpNotRestorable, match="took longer than 0:00:01"):
        place.load(place.dump(tmp_path / "a.dump"), limit=timedelta(seconds=1))
    assert time.monotonic() - began < 10
    left = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    assert place.ask(left) == [(0,)]


def test_what_the_owner_may_not_make_is_said(place: Place, tmp_path: Path) -> None:
    place.run("CREATE EXTENSION pageinspect")
    with pytest.raises(DumpNotRestorable, match="permission denied to create extension"):
        place.load(place.dump(tmp_path / "a.dump"))


def test_fault_58_truncated_dump_is_refused(place: Place, tmp_path: Path) -> None:
    place.run("CREATE TABLE app.note AS SELECT generate_series(1, 100000) AS n")
    path = place.dump(tmp_path / "a.dump")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(DumpNotRestorable):
        place.load(path)


def test_whoever_watches_can_end_it(place: Place, tmp_path: Path) -> None:
    place.run("CREATE TABLE app.note AS SELECT generate_series(1, 300000) AS n")

    def lose(_tables: int) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        place.load(place.dump(tmp_path / "a.dump"), lose)
    sessions = "SELECT 1 FROM pg_stat_activity WHERE datname = %s"
    assert wait_for(lambda: not place.server.execute(sessions, [place.fresh]).fetchall())
