"""Loading dumps with the real pg_restore: by whom, and what it says when it can't."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from apps.databases.clients.pg_restore import load_dump
from apps.databases.clients.restore_target import (
    create_closed_database,
    drop_database,
    drop_loaders,
    loader_login,
    names_beginning_with,
)
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
        self.name, self.owner, self.fresh = stem, f"{stem}_ddl", f"{stem}_n1"

    def run(self, *statements: str) -> None:
        with psycopg.connect(address(self.name), autocommit=True) as inside:
            for statement in statements:
                inside.execute(statement)  # type: ignore[call-overload]

    def dump(self, path: Path) -> Path:
        subprocess.run(["pg_dump", "-Fc", "-Z0", "-f", str(path), address(self.name)], check=True)
        return path

    def load(self, path: Path, watch: Any = lambda _tables: None) -> None:
        create_closed_database(self.server, name=self.fresh, like=self.name)
        login = f"{self.stem}_l1"
        with loader_login(self.server, name=login, owner=self.owner, database=self.fresh, jobs=2) as password:
            info = psycopg.conninfo.conninfo_to_dict(address(self.fresh))
            load_dump(
                program="pg_restore",
                dump=path,
                environment={
                    "PGHOST": str(info["host"]),
                    "PGPORT": str(info["port"]),
                    "PGUSER": login,
                    "PGPASSWORD": password,
                },
                database=self.fresh,
                role=self.owner,
                jobs=2,
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
        drop_loaders(server, f"{place.stem}_l")
        server.execute(f'DROP ROLE "{place.owner}"')


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
    place.run(
        f'SET ROLE "{place.owner}"',
        STEP_OUT.replace("OWNER", place.owner),
        "SET app.armed = 'no'",
        "CREATE TABLE app.trap (word text CHECK (app.step_out(word)))",
        "INSERT INTO app.trap VALUES ('x')",
    )
    place.load(place.dump(tmp_path / "a.dump"))
    assert place.ask("SELECT count(*) FROM app.trap") == [(1,)]
    assert place.ask(f"SELECT rolsuper FROM pg_roles WHERE rolname = '{place.owner}'") == [(False,)]


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
