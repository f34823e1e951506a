"""Deleting a workspace's database, after a grace in which nobody gets in and nothing is lost.

`databases.admit` brings the logins in line with what the rows say; `databases.delete` takes everything from the server.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from psycopg import sql

from apps.audit.services import Target, record_act_in
from apps.common.actors import SYSTEM, Actor
from apps.common.metering import note_level
from apps.common.revisions import Expected, require_revision
from apps.databases.clients.roles import RoleNames, databases_naming, drop_roles, forget_roles
from apps.databases.errors import DatabaseNotFound, GraceOver
from apps.databases.models import KeptDatabase, WorkspaceDatabase
from apps.databases.selectors.databases import present_database
from apps.databases.services.establishing import let_in, shut_out
from apps.databases.services.servers import open_server
from apps.databases.services.space import DIMENSION
from apps.databases.signals import database_deleted
from apps.databases.states import DatabaseStatus
from apps.events.services import emit_event
from apps.operations.errors import StepFailed
from apps.operations.services.kinds import StepContext
from apps.operations.services.requests import find_or_request_operation, request_operation

if TYPE_CHECKING:
    from apps.operations.models import Operation

#: The only state of a workspace in which its database lets its logins in.
_OPEN = "active"


def delete_database(*, workspace: Any, actor: Actor, now: datetime, expected: Expected = None) -> Operation:
    """Close the database at once, and delete it when the grace is over; one that was never made goes at once.

    Raises DatabaseNotFound, StaleRevision, IllegalTransition when it is being made or deleted.
    """
    with transaction.atomic():
        database = _lock_present(workspace.pk)
        require_revision(database, expected, column="updated_at")
        was_made = database.status == DatabaseStatus.READY
        delete_after = now + settings.DATABASE_DELETION_GRACE if was_made else now
        database.move_to(DatabaseStatus.DELETING, delete_after=delete_after)
        _audit(workspace, database, "delete", actor=actor, now=now)
        emit_event(
            type="database.deleting",
            workspace_id=database.workspace_id,
            data={"database": str(database.pk), "delete_after": delete_after.isoformat()},
            now=now,
        )
        return _request(database, "databases.admit" if was_made else "databases.delete", actor=actor, now=now)


def undelete_database(*, workspace: Any, actor: Actor, now: datetime) -> Operation:
    """Keep the database after all.

    Raises DatabaseNotFound, IllegalTransition when it isn't being deleted, GraceOver.
    """
    with transaction.atomic():
        database = _lock_present(workspace.pk)
        if database.status == DatabaseStatus.DELETING and (database.delete_after or now) <= now:
            raise GraceOver
        database.move_to(DatabaseStatus.READY, delete_after=None)
        _audit(workspace, database, "undelete", actor=actor, now=now)
        return _request(database, "databases.admit", actor=actor, now=now)


def request_due_deletions(*, now: datetime) -> int:
    """Ask for the deletion of every database whose grace is over; returns how many."""
    due = list(WorkspaceDatabase.objects.to_delete(now))
    for database in due:
        find_or_request_operation(
            kind="databases.delete", target_id=database.pk, workspace_id=database.workspace_id, actor=SYSTEM, now=now
        )
    return len(due)


def follow_workspace(*, workspace: Any, actor: Actor, now: datetime) -> None:
    """Have the database closed, or opened again, now that the workspace's own state is another."""
    database = WorkspaceDatabase.objects.ready().of_workspace(workspace.pk).first()
    if database is not None:
        _request(database, "databases.admit", actor=actor, now=now)


def admits_logins(database: WorkspaceDatabase) -> bool:
    """Whether the workspace's logins may get in: the database is ready and its workspace active."""
    return database.status == DatabaseStatus.READY and database.workspace.status == _OPEN


def admit_step(context: StepContext) -> dict[str, Any]:
    """Open or close the database, as the rows say now."""
    database = _with_server(context.target)
    if database.status not in {DatabaseStatus.READY, DatabaseStatus.DELETING}:
        return {}
    admitted = admits_logins(database)
    context.require_lease()
    (let_in if admitted else shut_out)(database)
    return {"admitted": admitted}


def begin_step(context: StepContext) -> dict[str, Any]:
    """From here on there is no way back."""
    database = _with_server(context.target)
    due = database.delete_after is not None and database.delete_after <= context.clock()
    if database.status == DatabaseStatus.DELETED or (database.status == DatabaseStatus.DELETING and due):
        return {}
    raise StepFailed("This database is not to be deleted, or its grace is not over.", code="not_due")


def drop_step(context: StepContext) -> dict[str, Any]:
    database = _with_server(context.target)
    context.require_lease()
    return {"dropped": drop_from_server(database)}


def forget_step(context: StepContext) -> dict[str, Any]:
    forget_database(database_id=context.target, now=context.clock())
    return {}


def drop_from_server(database: WorkspaceDatabase) -> list[str]:
    """Drop the live database, the kept ones, whatever else bears its prefix, and its roles; the names of the databases.

    Safe to repeat. Raises ServerUnavailable.
    """
    query = "SELECT datname FROM pg_database WHERE datname = ANY(%s) OR starts_with(datname::text, %s)"
    kept = list(database.kept.filter(dropped_at=None).values_list("name", flat=True))
    with open_server(database.server) as server:
        names = [row[0] for row in server.execute(query, [[database.name, *kept], database.prefix]).fetchall()]
        for name in names:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        for name in databases_naming(server, database.prefix):
            with open_server(database.server, database=name) as inside:
                forget_roles(inside, database.prefix)
        others = server.execute(
            "SELECT rolname FROM pg_roles WHERE starts_with(rolname::text, %s) AND NOT rolname = ANY(%s)",
            [database.prefix, list(RoleNames.of(database).all)],
        ).fetchall()
        for (name,) in others:
            server.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))
        drop_roles(server, RoleNames.of(database))
    return names


def forget_database(*, database_id: UUID, now: datetime) -> None:
    """Erase the secrets of a database that is gone from its server. The row stays, for its backups and its history."""
    with transaction.atomic():
        database = WorkspaceDatabase.objects.select_for_update().get(pk=database_id)
        if database.status == DatabaseStatus.DELETED:
            return
        KeptDatabase.objects.filter(database=database, dropped_at=None).update(dropped_at=now)
        database.move_to(
            DatabaseStatus.DELETED,
            secret="",
            next_secret="",
            drain_until=None,
            drain_sessions=[],
            next_rotation_at=None,
            size_bytes=0,
        )
        for dimension in (DIMENSION, "databases"):
            note_level(workspace_id=database.workspace_id, dimension=dimension, now=now)
        database_deleted.send(sender=WorkspaceDatabase, database=database, now=now)
        emit_event(
            type="database.deleted",
            workspace_id=database.workspace_id,
            data={"database": str(database.pk)},
            now=now,
        )


def purge_databases(*, workspace_id: UUID, now: datetime) -> None:
    """Delete what a purged workspace has on the servers, at once: its own grace is over. Safe to repeat."""
    for database in WorkspaceDatabase.objects.of_workspace(workspace_id).present().select_related("server"):
        with transaction.atomic():
            row = WorkspaceDatabase.objects.select_for_update().get(pk=database.pk)
            if row.status == DatabaseStatus.PROVISIONING:
                row.move_to(DatabaseStatus.FAILED)
            if row.status != DatabaseStatus.DELETING:
                row.move_to(DatabaseStatus.DELETING, delete_after=now)
        drop_from_server(database)
        forget_database(database_id=database.pk, now=now)


def _lock_present(workspace_id: UUID) -> WorkspaceDatabase:
    found = present_database(workspace_id)
    locked = WorkspaceDatabase.objects.select_for_update().present().filter(pk=found.pk).first()
    if locked is None:
        raise DatabaseNotFound
    database: WorkspaceDatabase = locked
    return database


def _with_server(database_id: UUID) -> WorkspaceDatabase:
    database: WorkspaceDatabase = WorkspaceDatabase.objects.select_related("server", "workspace").get(pk=database_id)
    return database


def _request(database: WorkspaceDatabase, kind: str, *, actor: Actor, now: datetime) -> Operation:
    """A new one each time: a pending one may have looked at the rows already."""
    return request_operation(kind=kind, target_id=database.pk, workspace_id=database.workspace_id, actor=actor, now=now)


def _audit(workspace: Any, database: WorkspaceDatabase, act: str, *, actor: Actor, now: datetime) -> None:
    record_act_in(
        workspace,
        actor=actor,
        action=f"database.{act}",
        target=Target(kind="database", id=str(database.pk), name=database.name),
        now=now,
        changes={"delete_after": [None, database.delete_after.isoformat() if database.delete_after else None]},
    )
