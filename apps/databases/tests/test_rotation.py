"""Rotating the login: the published one works at every moment, wherever a worker dies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from apps.common.actors import SYSTEM
from apps.databases.clients.roles import login_sessions
from apps.databases.errors import RotationUnderWay
from apps.databases.models import WorkspaceDatabase
from apps.databases.services.rotation import look_at_draining_logins, rotate_secret
from apps.databases.services.servers import open_server
from apps.databases.tests.factories import connect_as_login, forget_step, run_steps
from apps.operations.models import Operation
from config.testing.processes import wait_for

STEPS = ("prepare", "probe", "publish")


def rotate(database: WorkspaceDatabase, *, until: str | None = None) -> Operation:
    operation = rotate_secret(workspace=database.workspace, actor=SYSTEM, now=timezone.now())
    run_steps(operation, until=until)
    database.refresh_from_db()
    return operation


def retire(database: WorkspaceDatabase) -> None:
    run_steps(Operation.objects.get(kind="databases.retire", target_id=str(database.pk), finished_at=None))
    Operation.objects.filter(kind="databases.retire").delete()
    database.refresh_from_db()


def test_other_login_is_published_and_the_one_before_goes_on(make_database: Any) -> None:
    database = make_database()
    with connect_as_login(database) as before:
        rotate(database)
        assert (database.active_login, database.secret_version, database.next_secret) == ("b", 2, "")
        before.execute("SELECT 1")
        with connect_as_login(database) as after:
            assert after.execute("SELECT current_user").fetchone() == (database.login("b"),)


@pytest.mark.parametrize("step", STEPS)
def test_fault_52_died_behind_any_step_the_published_login_works(make_database: Any, step: str) -> None:
    database = make_database()
    operation = rotate(database, until=step)
    with connect_as_login(database):
        pass
    forget_step(operation, step)
    run_steps(operation)
    database.refresh_from_db()
    assert database.secret_version == 2
    with connect_as_login(database):
        pass


def test_login_that_changed_its_own_password_is_rotated_all_the_same(make_database: Any) -> None:
    """PostgreSQL lets everybody do that; it shuts out who does it, until the next rotation."""
    database = make_database()
    with connect_as_login(database) as client:
        client.execute("ALTER ROLE CURRENT_USER PASSWORD 'my own'")
    rotate(database)
    with connect_as_login(database):
        pass


def test_login_before_is_retired_when_nobody_uses_it(make_database: Any, settings: Any) -> None:
    database = make_database()
    settings.DATABASE_ROTATION_OVERLAP = timedelta(0)
    with connect_as_login(database, application_name="night job"):
        rotate(database)
        assert look_at_draining_logins(now=timezone.now()) == 1
        database.refresh_from_db()
        assert [session["application"] for session in database.drain_sessions] == ["night job"]
        with pytest.raises(RotationUnderWay) as refused:
            rotate(database)
        assert refused.value.extra["sessions"] == database.drain_sessions
    wait_until_gone(database, "a")
    assert look_at_draining_logins(now=timezone.now()) == 0
    retire(database)
    assert (database.drain_until, database.drain_sessions) == (None, [])
    assert has_password(database, "b")
    assert not has_password(database, "a")


def test_overlap_is_kept_though_nobody_uses_it(make_database: Any) -> None:
    database = make_database()
    rotate(database)
    assert look_at_draining_logins(now=timezone.now()) == 1
    assert look_at_draining_logins(now=timezone.now() + timedelta(seconds=61)) == 0


def test_whoever_stays_is_ended_when_the_time_is_up(make_database: Any, settings: Any) -> None:
    database = make_database()
    with connect_as_login(database) as stays:
        rotate(database)
        assert look_at_draining_logins(now=timezone.now() + settings.DATABASE_ROTATION_DRAIN) == 0
        retire(database)
        with pytest.raises(psycopg.OperationalError):
            stays.execute("SELECT 1")


def wait_until_gone(database: WorkspaceDatabase, letter: str) -> None:
    """A closed connection's session ends a moment later on the server."""
    with open_server(database.server) as server:
        assert wait_for(lambda: not login_sessions(server, database.login(letter)))


def has_password(database: WorkspaceDatabase, letter: str) -> bool:
    """Seen in the catalog: a cluster that trusts everybody would let anybody in."""
    with open_server(database.server) as server:
        query = "SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = %s"
        return bool(server.execute(query, [database.login(letter)]).fetchone()[0])  # type: ignore[index]
