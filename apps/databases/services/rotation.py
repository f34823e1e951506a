"""A new password for a workspace's database, without a connection that fails: the operation `databases.rotate`.

There are two logins. The one that isn't published gets the new password, is tried, and is published; the one before
goes on to let clients in until nobody uses it any more, or until its time is up. Then `databases.retire` takes its
password away. At every moment the published login works, wherever a worker dies: the published one is never changed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction

from apps.audit.services import Target, record_act_in
from apps.common.actors import SYSTEM, Actor
from apps.common.errors import Unavailable
from apps.common.revisions import Expected, require_revision
from apps.databases.clients.postgres import make_verifier
from apps.databases.clients.roles import limit_login, login_sessions, set_verifier, shut_logins
from apps.databases.errors import DatabaseNotReady, RotationUnderWay
from apps.databases.models import WorkspaceDatabase
from apps.databases.selectors.databases import ready_database
from apps.databases.services.establishing import session_limits
from apps.databases.services.secrets import (
    new_password,
    open_next_password,
    open_password,
    seal_next_password,
    seal_password,
)
from apps.databases.services.servers import open_as_login, open_server
from apps.databases.states import DatabaseStatus
from apps.events.services import emit_event
from apps.operations.errors import StepFailed
from apps.operations.services.kinds import StepContext
from apps.operations.services.requests import find_or_request_operation

if TYPE_CHECKING:
    from apps.operations.models import Operation

log = structlog.get_logger(__name__)


def rotate_secret(*, workspace: Any, actor: Actor, now: datetime) -> Operation:
    """Ask for a new password; the pending rotation when there is one.

    Raises DatabaseNotFound, DatabaseNotReady, RotationUnderWay while the last one's login is draining.
    """
    with transaction.atomic():
        database = ready_database(workspace.pk)
        _require_drained(database)
        operation = _request(database, actor=actor, now=now)
        record_act_in(
            workspace,
            actor=actor,
            action="database.rotate",
            target=Target(kind="database", id=str(database.pk), name=database.name),
            now=now,
        )
    return operation


def change_rotation(
    *, workspace: Any, rotation_days: int | None, actor: Actor, now: datetime, expected: Expected = None
) -> WorkspaceDatabase:
    """Rotate every so many days from now on; None is by hand only.

    Raises DatabaseNotFound, DatabaseNotReady, StaleRevision.
    """
    with transaction.atomic():
        found = ready_database(workspace.pk)
        database = WorkspaceDatabase.objects.select_for_update(of=("self",)).select_related("server").get(pk=found.pk)
        require_revision(database, expected, column="updated_at")
        before, database.rotation_days = database.rotation_days, rotation_days
        database.next_rotation_at = _next_rotation(database, now)
        database.save(update_fields=["rotation_days", "next_rotation_at", "updated_at"])
        record_act_in(
            workspace,
            actor=actor,
            action="database.change",
            target=Target(kind="database", id=str(database.pk), name=database.name),
            now=now,
            changes={"rotation_days": [before, rotation_days]},
        )
    return database


def request_due_rotations(*, now: datetime) -> int:
    """Ask for the rotations that the schedule wants; returns how many."""
    due = list(WorkspaceDatabase.objects.to_rotate(now).filter(workspace__status="active"))
    for database in due:
        with transaction.atomic():
            # Should it fail, it is asked for again in an hour.
            WorkspaceDatabase.objects.filter(pk=database.pk).update(next_rotation_at=now + timedelta(hours=1))
            _request(database, actor=SYSTEM, now=now)
    return len(due)


def prepare_step(context: StepContext) -> dict[str, Any]:
    """Give the login that isn't published the next password, which is kept first."""
    with transaction.atomic():
        database = _locked(context.target)
        if database.drain_until is not None:
            raise StepFailed(RotationUnderWay.detail, code=RotationUnderWay.code)
        if not database.next_secret:
            database.next_secret = seal_next_password(database, new_password())
            database.save(update_fields=["next_secret", "updated_at"])
    login = database.login(database.other_login)
    with open_server(database.server) as server:
        verifier = make_verifier(server, login=login, password=open_next_password(database))
        context.require_lease()
        set_verifier(server, login, verifier)
    return {"version": database.secret_version}


def probe_step(context: StepContext) -> dict[str, Any]:
    """See that it gets in, before anybody is told of it."""
    database = WorkspaceDatabase.objects.select_related("server").get(pk=context.target)
    if database.secret_version == context.results["prepare"]["version"]:
        login = database.login(database.other_login)
        password = open_next_password(database)
        with open_as_login(database.server, database=database.name, user=login, password=password) as client:
            client.execute("SELECT 1")
    return {}


def publish_step(context: StepContext) -> dict[str, Any]:
    """Whoever asks from now on is given the new login. One UPDATE: there is no moment between the two."""
    now = context.clock()
    with transaction.atomic():
        database = _locked(context.target)
        if database.secret_version == context.results["prepare"]["version"]:
            password = open_next_password(database)
            database.active_login = database.other_login
            database.secret, database.next_secret = seal_password(database, password), ""
            database.secret_version += 1
            database.rotated_at, database.drain_until = now, now + settings.DATABASE_ROTATION_DRAIN
            database.drain_sessions = []
            database.next_rotation_at = _next_rotation(database, now)
            database.save()
            emit_event(
                type="database.rotated",
                workspace_id=database.workspace_id,
                data={"database": str(database.pk), "login": database.login(database.active_login)},
                now=now,
            )
    drain_until = database.drain_until.isoformat() if database.drain_until else None
    return {"login": database.login(database.active_login), "drain_until": drain_until}


def look_at_draining_logins(*, now: datetime) -> int:
    """Write down who still uses the logins before, and ask for the end of those that nobody uses or whose time is up;
    returns how many are still draining. A server that doesn't answer is asked the next time."""
    draining = 0
    for database in WorkspaceDatabase.objects.draining().select_related("server"):
        try:
            with open_server(database.server) as server:
                sessions = login_sessions(server, database.login(database.other_login))
        except Unavailable as error:
            log.warning("drain_not_seen", database=database.name, error=error.detail)
            draining += 1
            continue
        WorkspaceDatabase.objects.filter(pk=database.pk, secret_version=database.secret_version).update(
            drain_sessions=sessions
        )
        if _is_drained(database, bool(sessions), now):
            find_or_request_operation(
                kind="databases.retire",
                target_id=database.pk,
                workspace_id=database.workspace_id,
                actor=SYSTEM,
                now=now,
            )
        else:
            draining += 1
    return draining


def retire_step(context: StepContext) -> dict[str, Any]:
    """Take the password of the login before away, and end the sessions that are left of it.

    A session may give its login another password at any time: nobody gets in while they are ended, and what the last
    of them left is taken once more. Raises SessionsRemain.
    """
    database = WorkspaceDatabase.objects.select_related("server").get(pk=context.target)
    if database.drain_until is None:
        return {"ended": 0}
    login, version = database.login(database.other_login), database.secret_version
    with open_server(database.server) as server:
        context.require_lease()
        seconds = settings.DATABASE_FENCE_MAX.total_seconds()
        ended = shut_logins(server, [login], close=lambda: limit_login(server, login, 0), seconds=seconds)
        set_verifier(server, login, None)
        limit_login(server, login, session_limits().connections)
    WorkspaceDatabase.objects.filter(pk=database.pk, secret_version=version).update(
        drain_until=None, drain_sessions=[], updated_at=context.clock()
    )
    return {"login": login, "ended": ended}


def read_credentials(*, workspace: Any, actor: Actor, now: datetime) -> dict[str, Any]:
    """The published login of the workspace's database: ``dsn``, ``login``, ``rotated_at``. The view is audited.

    Raises DatabaseNotFound, DatabaseNotReady.
    """
    with transaction.atomic():
        database = ready_database(workspace.pk)
        record_act_in(
            workspace,
            actor=actor,
            action="database.view_credentials",
            target=Target(kind="database", id=str(database.pk), name=database.name),
            now=now,
        )
    login = database.login(database.active_login)
    server = database.server
    host = f"[{server.host}]" if ":" in server.host else server.host
    return {
        "dsn": f"postgresql://{login}:{open_password(database)}@{host}:{server.port}/{database.name}",
        "login": login,
        "rotated_at": database.rotated_at,
    }


def _request(database: WorkspaceDatabase, *, actor: Actor, now: datetime) -> Operation:
    return find_or_request_operation(
        kind="databases.rotate", target_id=database.pk, workspace_id=database.workspace_id, actor=actor, now=now
    )


def _require_drained(database: WorkspaceDatabase) -> None:
    if database.drain_until is not None:
        raise RotationUnderWay(until=database.drain_until.isoformat(), sessions=database.drain_sessions)


def _is_drained(database: WorkspaceDatabase, used: bool, now: datetime) -> bool:
    rotated_at, drain_until = database.rotated_at, database.drain_until
    if rotated_at is None or drain_until is None:
        return False
    return now >= drain_until or (not used and now >= rotated_at + settings.DATABASE_ROTATION_OVERLAP)


def _next_rotation(database: WorkspaceDatabase, now: datetime) -> datetime | None:
    return now + timedelta(days=database.rotation_days) if database.rotation_days else None


def _locked(database_id: UUID) -> WorkspaceDatabase:
    """The row, locked. Raises DatabaseNotReady, which ends the operation."""
    database: WorkspaceDatabase = (
        WorkspaceDatabase.objects.select_for_update(of=("self",)).select_related("server").get(pk=database_id)
    )
    if database.status != DatabaseStatus.READY:
        raise DatabaseNotReady(f"The workspace's database is {database.status}.")
    return database
