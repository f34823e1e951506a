"""Making a workspace's database: the operation `databases.provision`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import IntegrityError, transaction
from psycopg import errors, sql

from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor
from apps.common.constraints import violated_constraint
from apps.common.ids import new_id
from apps.common.metering import note_level, take_room
from apps.databases.clients.roles import RoleNames, ensure_roles
from apps.databases.errors import DatabaseExists, NoServerAvailable
from apps.databases.models import DatabaseServer, WorkspaceDatabase
from apps.databases.selectors.databases import count_databases
from apps.databases.selectors.placement import Placement, WeightedLeastLoad, server_loads
from apps.databases.services.establishing import admit_logins, establish_database, publish_login, session_limits
from apps.databases.services.secrets import new_password, open_password, seal_password
from apps.databases.services.servers import open_as_login, open_server
from apps.databases.services.space import DIMENSION, release_space, reserve_space, storage_limit
from apps.databases.services.storage import measure_database
from apps.databases.signals import database_ready
from apps.databases.states import DatabaseStatus
from apps.events.services import emit_event
from apps.operations.errors import StepFailed
from apps.operations.services.kinds import StepContext
from apps.operations.services.requests import request_operation

if TYPE_CHECKING:
    from apps.operations.models import Operation

#: The same on every server: compares by code point, folds all letters. Not every system has it; all have ``C``.
_ENCODING, _LOCALES = "UTF8", ("C.UTF-8", "C")


def create_database(*, workspace: Any, actor: Actor, now: datetime, placement: Placement | None = None) -> Operation:
    """Ask for the workspace's database; the operation makes it. One that could not be made is tried again.

    Raises DatabaseExists, QuotaExceeded (before anything is made), NoServerAvailable.
    """
    with transaction.atomic():
        failed = WorkspaceDatabase.objects.of_workspace(workspace.pk).filter(status=DatabaseStatus.FAILED)
        if (row := failed.select_for_update().first()) is not None:
            return _try_again(row, actor=actor, now=now)
        if count_databases(workspace.pk):
            raise DatabaseExists
        # Quotas are locked in the order of their names; room for the bytes is taken with the operation.
        note_level(workspace_id=workspace.pk, dimension=DIMENSION, now=now)
        take_room(workspace_id=workspace.pk, dimension="databases", now=now)
        servers = DatabaseServer.objects.taking_databases().select_for_update(no_key=True)
        server = (placement or WeightedLeastLoad()).choose(server_loads(servers))
        if server is None:
            raise NoServerAvailable
        database = _write_down(workspace, server, now=now)
        record_act_in(
            workspace,
            actor=actor,
            action="database.create",
            target=Target(kind="database", id=str(database.pk), name=database.name),
            now=now,
            changes={"server": [None, server.name]},
        )
        return _request(database, actor=actor, now=now)


def _try_again(database: WorkspaceDatabase, *, actor: Actor, now: datetime) -> Operation:
    database.move_to(DatabaseStatus.PROVISIONING)
    return _request(database, actor=actor, now=now)


def _request(database: WorkspaceDatabase, *, actor: Actor, now: datetime) -> Operation:
    operation = request_operation(
        kind="databases.provision", target_id=database.pk, workspace_id=database.workspace_id, actor=actor, now=now
    )
    _reserve(database, operation_id=operation.pk, now=now)
    return operation


def _reserve(database: WorkspaceDatabase, *, operation_id: UUID, now: datetime) -> None:
    reserve_space(database=database, operation_id=operation_id, size_bytes=settings.DATABASE_NEW_RESERVE, now=now)


def _release(database: WorkspaceDatabase, context: StepContext) -> None:
    release_space(workspace_id=database.workspace_id, operation_id=context.operation_id, now=context.clock())


def make_roles_step(context: StepContext) -> dict[str, Any]:
    database = _provisioned(context)
    with open_server(database.server) as server:
        ensure_roles(server, RoleNames.of(database), session_limits())
    return {}


def make_database_step(context: StepContext) -> dict[str, Any]:
    """An empty database that lets nobody in."""
    database = _provisioned(context)
    with open_server(database.server) as server:
        if server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database.name]).fetchone() is None:
            context.require_lease()
            _create(server, database.name)
    return {}


def establish_step(context: StepContext) -> dict[str, Any]:
    database = _provisioned(context)
    establish_database(database)
    admit_logins(database)
    return {}


def publish_step(context: StepContext) -> dict[str, Any]:
    """Give the login its password, see that it gets in, and call the database ready; measure what it holds."""
    database = _provisioned(context)
    if database.status != DatabaseStatus.READY:
        _open(database, context)
    measure_database(database_id=database.pk, now=context.clock())
    _release(database, context)
    return {"database": str(database.pk)}


def _open(database: WorkspaceDatabase, context: StepContext) -> None:
    with open_server(database.server) as server:
        publish_login(server, database)
    login = database.login(database.active_login)
    with open_as_login(database.server, database=database.name, user=login, password=open_password(database)) as client:
        client.execute("SELECT 1")
    now = context.clock()
    with transaction.atomic():
        row = WorkspaceDatabase.objects.select_for_update().get(pk=database.pk)
        if row.status != DatabaseStatus.READY:  # else a worker that was thought dead came first
            row.move_to(DatabaseStatus.READY, secret_version=1, rotated_at=now)
            emit_event(type="database.created", workspace_id=row.workspace_id, data={"database": str(row.pk)}, now=now)
            database_ready.send(sender=WorkspaceDatabase, database=row, actor=context.actor, now=now)


def mark_failed(context: StepContext) -> None:
    """The operation was given up or failed: what it made is kept for a retry, or for being deleted."""
    row = WorkspaceDatabase.objects.select_for_update().get(pk=context.target)
    if row.status == DatabaseStatus.PROVISIONING:
        row.move_to(DatabaseStatus.FAILED)
    _release(row, context)


def mark_provisioning(context: StepContext) -> None:
    """The failed operation is tried again. Raises IllegalTransition (it is being deleted meanwhile), QuotaExceeded."""
    row = WorkspaceDatabase.objects.select_for_update().get(pk=context.target)
    row.move_to(DatabaseStatus.PROVISIONING)
    _reserve(row, operation_id=context.operation_id, now=context.clock())


def _create(server: psycopg.Connection[Any], name: str) -> None:
    for locale in _LOCALES:
        parts = map(sql.Literal, (_ENCODING, locale, locale))
        statement = sql.SQL(
            "CREATE DATABASE {} TEMPLATE template0 STRATEGY wal_log ENCODING {} LC_COLLATE {} LC_CTYPE {}"
            " CONNECTION LIMIT 0"
        ).format(sql.Identifier(name), *parts)
        try:
            server.execute(statement)
            return
        except (errors.DuplicateDatabase, errors.UniqueViolation):
            return  # a worker that was thought dead has made it meanwhile
        except errors.WrongObjectType:
            continue  # the server's system doesn't have this locale


def _write_down(workspace: Any, server: DatabaseServer, *, now: datetime) -> WorkspaceDatabase:
    database = WorkspaceDatabase(
        id=new_id(),
        workspace_id=workspace.pk,
        server=server,
        limit_bytes=storage_limit(workspace.pk, now=now),
    )
    database.name = database.prefix
    database.secret = seal_password(database, new_password())
    try:
        with transaction.atomic():
            database.save(force_insert=True)
    except IntegrityError as error:
        if violated_constraint(error) == "one_present_database_per_workspace":
            raise DatabaseExists from error
        raise
    return database


def _provisioned(context: StepContext) -> WorkspaceDatabase:
    """The database as it is now. Raises StepFailed when it isn't being provisioned any more."""
    database: WorkspaceDatabase = WorkspaceDatabase.objects.select_related("server").get(pk=context.target)
    if database.status not in {DatabaseStatus.PROVISIONING, DatabaseStatus.READY}:
        raise StepFailed(f"The database is {database.status}.", code="database_not_provisioning")
    return database
