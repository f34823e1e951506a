"""What takes too long is ended from outside, whatever the session says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone
from psycopg import conninfo

from apps.accounts.tests.factories import UserFactory
from apps.databases.models import WorkspaceDatabase
from apps.databases.services.watching import watch_sessions
from apps.databases.tests.factories import add_suite_server, connect_as_login, provision
from apps.events.models import Event
from apps.workspaces.tests.factories import create_test_workspace
from config.services import throwaway_services
from config.testing.processes import wait_for

pytestmark = pytest.mark.django_db

_SHORT = timedelta(seconds=1)
#: Longer than any of these tests: a limit of the others' is not met, however slow the machine is.
_LONG = timedelta(minutes=5)


@pytest.fixture(scope="module")
def own_server() -> Iterator[str]:
    """The DSN of a PostgreSQL of this module's own, as its superuser.

    Every session of a server is watched, with short limits here: on the suite's, those of other tests would be ended.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATABASE_URL", raising=False)
        with throwaway_services() as running:
            yield conninfo.make_conninfo(running.database_url, dbname="postgres")


@pytest.fixture
def database(own_server: str) -> WorkspaceDatabase:
    """A ready database of a workspace on that server."""
    with psycopg.connect(own_server) as server:
        address = {"host": server.info.host, "port": server.info.port, "version": server.info.server_version}
    add_suite_server(admin_dsn=own_server, **address)
    return provision(create_test_workspace(owner=UserFactory()))


@pytest.fixture
def limit(settings: Any) -> Callable[..., None]:
    """``limit(statement=_SHORT)`` shortens that limit; none is met before."""

    def change(**limits: timedelta) -> None:
        for name in ("statement", "idle_transaction", "transaction"):
            setattr(settings, f"DATABASE_{name.upper()}_LIMIT", limits.get(name, _LONG))
        settings.DATABASE_WATCH_INSIST = limits.get("insist", _LONG)

    change()
    return change


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


def _is_under_way(server: str, text: str) -> bool:
    with psycopg.connect(server) as outside:
        query = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = %s"
        return outside.execute(query, [text]).fetchone() == (1,)


def test_a_long_statement_is_ended_though_its_session_switched_the_limit_off(
    database: WorkspaceDatabase, own_server: str, limit: Callable[..., None]
) -> None:
    with connect_as_login(database) as session:
        session.execute("SET statement_timeout = 0")
        running = _Running(session, "SELECT pg_sleep(60)")
        running.start()
        assert wait_for(lambda: _is_under_way(own_server, running.text))
        assert watch_sessions(now=timezone.now()) == 0, "it may take longer"
        limit(statement=_SHORT)
        assert wait_for(lambda: watch_sessions(now=timezone.now()) == 1)
        running.join(20)
        assert isinstance(running.error, psycopg.errors.QueryCanceled)
        assert session.execute("SELECT 1").fetchone() == (1,), "the session itself may go on"
    event = Event.objects.get(type="database.session_ended")
    assert event.workspace_id == database.workspace_id
    assert (event.data["why"], event.data["login"]) == ("statement", database.login("a"))
    assert event.data["statement"] == "SELECT pg_sleep(60)"


def test_a_statement_that_ignores_being_canceled_loses_its_session(
    database: WorkspaceDatabase, limit: Callable[..., None]
) -> None:
    limit(statement=_SHORT, insist=_SHORT)
    with connect_as_login(database) as session:
        session.execute("SET statement_timeout = 0")
        stubborn = (
            "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN END; END LOOP; END $$"
        )
        running = _Running(session, stubborn)
        running.start()
        assert wait_for(lambda: watch_sessions(now=timezone.now()) * 0 or not running.is_alive())
        assert isinstance(running.error, psycopg.OperationalError)


def test_a_transaction_that_was_forgotten_is_ended(database: WorkspaceDatabase, limit: Callable[..., None]) -> None:
    limit(idle_transaction=_SHORT)
    with connect_as_login(database) as session:
        session.execute("SET idle_in_transaction_session_timeout = 0; BEGIN; SELECT 1")
        assert wait_for(lambda: watch_sessions(now=timezone.now()) == 1)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert Event.objects.get(type="database.session_ended").data["why"] == "idle_in_transaction"


def test_a_transaction_that_is_kept_open_is_ended(database: WorkspaceDatabase, limit: Callable[..., None]) -> None:
    limit(transaction=_SHORT)
    with connect_as_login(database) as session:
        session.execute("BEGIN")

        def work() -> bool:
            session.execute("SELECT 1")
            return watch_sessions(now=timezone.now()) == 1

        assert wait_for(work)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert Event.objects.get(type="database.session_ended").data["why"] == "transaction"


def test_nobody_elses_sessions_are_touched(
    database: WorkspaceDatabase, own_server: str, limit: Callable[..., None]
) -> None:
    limit(statement=_SHORT, insist=_SHORT, idle_transaction=_SHORT, transaction=_SHORT)
    with psycopg.connect(own_server, autocommit=True) as server:
        running = _Running(server, "SELECT pg_sleep(2.5)")
        running.start()
        while running.is_alive():
            assert watch_sessions(now=timezone.now()) == 0
            running.join(0.2)
        assert running.error is None
