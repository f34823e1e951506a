"""What takes too long is ended from outside, whatever the session says."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from apps.databases.clients.loaders import loader_login
from apps.databases.clients.restore_target import create_closed_database
from apps.databases.services.establishing import loader_terms
from apps.databases.services.watching import watch_sessions
from apps.databases.tests.factories import connect_as_login, suite_dsn
from apps.events.models import Event
from config.testing.processes import wait_for

# All sessions of a server are watched, with short limits here: two of these tests at once would end each other's.
pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("watches_sessions")]


@pytest.fixture(autouse=True)
def _impatient(settings: Any) -> None:
    settings.DATABASE_STATEMENT_LIMIT = timedelta(seconds=1)
    settings.DATABASE_WATCH_INSIST = timedelta(seconds=1)
    settings.DATABASE_IDLE_TRANSACTION_LIMIT = timedelta(seconds=1)
    settings.DATABASE_TRANSACTION_LIMIT = timedelta(seconds=3)


class _Running(threading.Thread):
    """A statement under way in its own thread, and how it ended."""

    def __init__(self, session: psycopg.Connection[Any], text: str) -> None:
        super().__init__(daemon=True)
        self.session, self.text = session, text
        self.error: psycopg.Error | None = None

    def run(self) -> None:
        try:
            self.session.execute(self.text)
        except psycopg.Error as error:
            self.error = error


def _watch_until_ended(running: _Running) -> None:
    assert wait_for(lambda: watch_sessions(now=timezone.now()) or not running.is_alive(), seconds=10)
    running.join(10)
    assert not running.is_alive()


def test_a_long_statement_is_ended_though_its_session_switched_the_limit_off(make_database: Any) -> None:
    database = make_database()
    with connect_as_login(database) as session:
        session.execute("SET statement_timeout = 0")
        running = _Running(session, "SELECT pg_sleep(60)")
        running.start()
        assert watch_sessions(now=timezone.now()) == 0, "it has only begun"
        _watch_until_ended(running)
        assert isinstance(running.error, psycopg.errors.QueryCanceled)
        assert session.execute("SELECT 1").fetchone() == (1,), "the session itself may go on"
    event = Event.objects.get(type="database.session_ended")
    assert event.workspace_id == database.workspace_id
    assert (event.data["why"], event.data["login"]) == ("statement", database.login("a"))
    assert event.data["statement"] == "SELECT pg_sleep(60)"


def test_a_statement_that_ignores_being_canceled_loses_its_session(make_database: Any) -> None:
    with connect_as_login(make_database()) as session:
        session.execute("SET statement_timeout = 0")
        stubborn = (
            "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN END; END LOOP; END $$"
        )
        running = _Running(session, stubborn)
        running.start()
        assert wait_for(lambda: watch_sessions(now=timezone.now()) * 0 or not running.is_alive(), seconds=15)
        assert isinstance(running.error, psycopg.OperationalError)


def test_a_transaction_that_was_forgotten_is_ended(make_database: Any) -> None:
    with connect_as_login(make_database()) as session:
        session.execute("SET idle_in_transaction_session_timeout = 0; BEGIN; SELECT 1")
        # Other tests' sessions on the same server are watched as well, so that what was ended may be another's.
        told = Event.objects.filter(type="database.session_ended")
        assert wait_for(lambda: watch_sessions(now=timezone.now()) and told.exists(), seconds=10)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert told.get().data["why"] == "idle_in_transaction"


def test_a_transaction_that_is_kept_open_is_ended(make_database: Any) -> None:
    with connect_as_login(make_database()) as session, pytest.raises(psycopg.OperationalError):
        session.execute("BEGIN")
        for _ in range(200):
            session.execute("SELECT pg_sleep(0.05)")
            watch_sessions(now=timezone.now())
    assert Event.objects.get(type="database.session_ended").data["why"] == "transaction"


def test_nobody_elses_sessions_are_touched(make_database: Any) -> None:
    make_database()
    with psycopg.connect(suite_dsn(), autocommit=True) as server:
        running = _Running(server, "SELECT pg_sleep(2.5)")
        running.start()
        while running.is_alive():
            assert watch_sessions(now=timezone.now()) == 0
            running.join(0.2)
        assert running.error is None


@pytest.mark.parametrize("letter", ["l", "p"])
def test_fault_54_what_a_dump_runs_for_ever_is_ended_when_its_worker_is_gone(
    make_database: Any, settings: Any, letter: str
) -> None:
    """Loading for a restore or a proof, in a database beside the live one, by a login of its own."""
    settings.DATABASE_LOAD_LIMIT = timedelta(seconds=1)
    database = make_database()
    login = f"{database.prefix}_{letter}0123456789ab_1"
    with psycopg.connect(suite_dsn(), autocommit=True) as server:
        create_closed_database(server, name=login, like=database.name)
        with (
            loader_login(server, name=login, database=login, jobs=2, terms=loader_terms(database)) as password,
            psycopg.connect(suite_dsn(dbname=login, user=login, password=password), autocommit=True) as session,
        ):
            running = _Running(
                session,
                f"SET ROLE {database.ddl_role}; DO $$ BEGIN LOOP BEGIN LOOP PERFORM pg_sleep(0.01); END LOOP;"
                " EXCEPTION WHEN query_canceled THEN END; END LOOP; END $$",
            )
            running.start()
            assert watch_sessions(now=timezone.now()) == 0, "it has only begun"
            assert wait_for(lambda: watch_sessions(now=timezone.now()) * 0 or not running.is_alive(), seconds=15)
            assert isinstance(running.error, psycopg.OperationalError)
    event = Event.objects.get(type="database.session_ended")
    assert (event.workspace_id, event.data["why"]) == (database.workspace_id, "load")
    assert event.data["login"] == login
