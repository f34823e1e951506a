"""The steps of applying migrations. The database's own record says what is applied, whoever died in between."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import transaction
from psycopg import sql
from psycopg.pq import TransactionStatus

from apps.common.errors import IllegalTransition, QuotaExceeded
from apps.databases.clients.applied import (
    AppliedMigration,
    count_relations,
    find_escapes,
    prepare_record,
    read_record,
    write_record,
)
from apps.databases.clients.locks import LockWatch
from apps.databases.clients.roles import SCHEMA, RoleNames
from apps.databases.clients.statements import Bounds, run_statement
from apps.databases.clients.storage import may_hold_rows, measure_sizes
from apps.databases.errors import (
    DatabaseNotReady,
    MigrationFailed,
    ResultTooLarge,
    StatementFailed,
    StatementTimeout,
    WorkspaceDatabaseUnavailable,
)
from apps.databases.models import KeptDatabase, MigrationRequest, SchemaMigration, WorkspaceDatabase
from apps.databases.models.backup import BackupKind
from apps.databases.services.backups.steps import back_up_now, give_up_unfinished
from apps.databases.services.connections import owner_session
from apps.databases.services.migration_records import copy_record, revision_of_record
from apps.databases.services.migration_requests import require_order
from apps.databases.services.servers import open_server
from apps.databases.services.space import DIMENSION, release_space, reserve_space, room_left
from apps.databases.services.sql_text import Statement, split_statements
from apps.databases.services.storage import bound_growth, measure_database
from apps.databases.states import DatabaseStatus
from apps.events.services import emit_event
from apps.operations.services.kinds import StepContext

_FEW_ROWS = 1
_MEBIBYTE = 1024 * 1024


def back_up_first(context: StepContext) -> Mapping[str, Any]:
    """Back up the database as it is, if there is anything to be lost: a migration to apply, and tables with rows.

    Returns the backup's id, or None. A Retry that goes on behind this step keeps the backup that it made.
    """
    request = _request(context)
    if not request.backup or request.dry_run:
        return {"backup": None}
    database = _ready(request.database_id)
    applied = SchemaMigration.objects.filter(database=database).values_list("version", "checksum")
    if not require_order(request.scripts, dict(applied)):
        return {"backup": None}
    with open_server(database.server, database=database.name) as inside:
        if not may_hold_rows(inside):
            return {"backup": None}
    return {"backup": str(back_up_now(context, database, kind=BackupKind.BEFORE_MIGRATE))}


def apply_migrations(context: StepContext) -> Mapping[str, Any]:
    """Apply what isn't applied yet, each in a transaction with its record; for a dry run all in one that is undone.

    Raises MigrationFailed with the statement, its line and the server's reason: what came before that migration is
    applied and recorded, of it itself nothing is.
    """
    request = _request(context)
    database = _ready(request.database_id)
    with open_server(database.server, database=database.name) as admin:
        prepare_record(admin, owner=database.ddl_role)
    with (
        open_server(database.server) as outside,
        owner_session(database) as session,
        LockWatch(outside, pid=session.info.backend_pid, limit=settings.DATABASE_MIGRATION_LOCKS) as locks,
    ):
        record = read_record(session)
        # What a worker applied that died before it could tell.
        _mirror(database, record, context)
        to_apply = require_order(request.scripts, {one.version: one.checksum for one in record})
        applied: list[Mapping[str, Any]] = []
        if request.dry_run:
            session.execute("BEGIN")
        for index, script in enumerate(to_apply):
            context.report(100 * index // len(to_apply), f"Applying migration {script['version']}, {script['name']}.")
            context.require_lease()
            outcome = _Outcome(script, revision_of_record(record), dry_run=request.dry_run)
            with _bounding_locks(locks, outcome):
                made = _apply(session, database, script, context, outcome, locks, dry_run=request.dry_run)
            applied.append({"version": made.version, "name": made.name, "milliseconds": made.milliseconds})
            if not request.dry_run:
                record.append(made)
                _mirror(database, record, context)
        if request.dry_run:
            session.execute("ROLLBACK")
    if not request.dry_run:
        # Including what an attempt before this one applied.
        mine = SchemaMigration.objects.filter(database=database, operation_id=context.operation_id)
        applied = [dict(one) for one in mine.order_by("version").values("version", "name", "milliseconds")]
    new = {one["version"] for one in applied}
    skipped = [script["version"] for script in request.scripts if script["version"] not in new]
    return {"applied": applied, "skipped": skipped, "revision": revision_of_record(record), "dry_run": request.dry_run}


def settle_migrations(context: StepContext) -> Mapping[str, Any]:
    """Bring the database's grants and its measured size in line with its new tables; give back the reserved space."""
    request = _request(context)
    if not request.dry_run:
        bound_growth(_ready(request.database_id))
        measure_database(database_id=request.database_id, now=context.clock())
    _release(context)
    return {**context.results["apply"], "before": context.results["backup"]["backup"]}


def give_up_migrations(context: StepContext) -> None:
    """When the operation fails or is canceled: its space is given back, and no backup is being made for it any more."""
    give_up_unfinished(context)
    _release(context)


def reserve_again(context: StepContext) -> None:
    """When a failed operation is retried. Raises QuotaExceeded, and IllegalTransition when it is too old for that."""
    if not MigrationRequest.objects.filter(pk=UUID(context.params["request"])).exists():
        raise IllegalTransition("These migrations were asked for too long ago. Send them again.")
    reserve_space(
        database=WorkspaceDatabase.objects.get(pk=context.target),
        operation_id=context.operation_id,
        size_bytes=settings.DATABASE_MIGRATION_RESERVE,
        now=context.clock(),
    )


def _release(context: StepContext) -> None:
    database = WorkspaceDatabase.objects.get(pk=context.target)
    release_space(workspace_id=database.workspace_id, operation_id=context.operation_id, now=context.clock())


def _request(context: StepContext) -> MigrationRequest:
    found: MigrationRequest = MigrationRequest.objects.get(pk=UUID(context.params["request"]))
    return found


def _ready(database_id: UUID) -> WorkspaceDatabase:
    database: WorkspaceDatabase = WorkspaceDatabase.objects.select_related("server", "workspace").get(pk=database_id)
    if database.status != DatabaseStatus.READY:
        raise DatabaseNotReady(f"The workspace's database is {database.status}.")
    return database


def _apply(
    session: psycopg.Connection[Any],
    database: WorkspaceDatabase,
    script: Mapping[str, Any],
    context: StepContext,
    outcome: _Outcome,
    locks: LockWatch,
    *,
    dry_run: bool,
) -> AppliedMigration:
    """Run one migration in a transaction of its own (in the open one for a dry run)."""
    began = time.monotonic()
    statements = split_statements(script["sql"])
    if not dry_run:
        session.execute("DISCARD ALL")
        session.execute("BEGIN")
    session.execute(
        "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)",
        [_milliseconds(settings.DATABASE_MIGRATION_TIME), _milliseconds(settings.DATABASE_MIGRATION_LOCK_WAIT)],
    )
    tables = count_relations(session)
    for number, statement in enumerate(statements, start=1):
        _run(session, statement, outcome.at(number, statement))
        if locks.exceeded():
            raise outcome.failed(None, _too_many_locks(locks), None)
    try:
        made = AppliedMigration(
            version=script["version"],
            name=script["name"],
            sql=script["sql"],
            checksum=script["checksum"],
            applied_at=context.clock(),
            milliseconds=round((time.monotonic() - began) * 1000),
            operation=context.operation_id,
        )
        write_record(session, made)
        # Whatever would run at the commit (deferred triggers, cursors that are kept) runs now: what is looked at
        # behind it is what is committed.
        session.execute("SET CONSTRAINTS ALL IMMEDIATE")
        session.execute("CLOSE ALL")
        escapes = find_escapes(session, logins=RoleNames.of(database).logins)
        _require_bounded(database, context, escapes, _size(database), outcome)
        _require_few_relations(before=tables, now=count_relations(session), outcome=outcome)
        if dry_run:
            session.execute("SET CONSTRAINTS ALL DEFERRED")
            session.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(SCHEMA)))
        else:
            context.require_lease()
            session.execute("COMMIT")
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        raise outcome.failed("at its end", error.diag.message_primary or str(error), error.sqlstate) from error
    return made


@contextmanager
def _bounding_locks(locks: LockWatch, outcome: _Outcome) -> Iterator[None]:
    """Say that it was for its locks that a session was ended."""
    try:
        yield
    except (psycopg.OperationalError, WorkspaceDatabaseUnavailable) as error:
        if locks.exceeded():
            raise outcome.failed(None, _too_many_locks(locks), None) from error
        raise


def _too_many_locks(locks: LockWatch) -> str:
    return (
        f"It holds {locks.most:,} locks at once, and {locks.limit:,} are allowed: one for each table, index and "
        "sequence that is made or touched, until the end. Split the migration into several, which are applied one by "
        "one (a dry run tries all that it is given in one transaction: give it fewer)"
    )


class _Outcome:
    """The words for a failure: which migration, which statement, and what is left."""

    def __init__(self, script: Mapping[str, Any], revision: int, *, dry_run: bool) -> None:
        self._script = script
        self._left = (
            "This was a dry run: nothing was changed."
            if dry_run
            else f"Nothing of this migration was kept; the database is at revision {revision}."
        )
        self._where = "at its end"
        self._number: int | None = None
        self._line: int | None = None

    def at(self, number: int, statement: Statement) -> _Outcome:
        self._number, self._line = number, statement.line
        start = " ".join(statement.text.split())
        shown = start if len(start) <= 60 else start[:57] + "…"
        self._where = f"statement {number} (line {statement.line}, “{shown}”)"
        return self

    def failed(self, where: str | None, reason: str, sqlstate: str | None) -> MigrationFailed:
        said = f" [{sqlstate}]" if sqlstate else ""
        return MigrationFailed(
            f"Migration {self._script['version']} “{self._script['name']}”, {where or self._where}: "
            f"{reason.rstrip('.')}{said}. {self._left}",
            version=self._script["version"],
            statement=None if where else self._number,
            line=None if where else self._line,
            sqlstate=sqlstate,
        )


def _run(session: psycopg.Connection[Any], statement: Statement, outcome: _Outcome) -> None:
    bounds = Bounds(rows=_FEW_ROWS, size=_MEBIBYTE, seconds=settings.DATABASE_MIGRATION_TIME.total_seconds())
    try:
        run_statement(session, text=statement.text, values=(), bounds=bounds, keep_all=True)
    except StatementFailed as error:
        raise outcome.failed(None, error.detail, error.sqlstate) from error
    except (StatementTimeout, ResultTooLarge) as error:
        raise outcome.failed(None, error.detail, None) from error
    if session.info.transaction_status != TransactionStatus.INTRANS:
        raise outcome.failed(None, "The statement ended the migration's transaction", None)


def _size(database: WorkspaceDatabase) -> int:
    """Bytes on disk, with what the open transaction has written: its files are there before it commits."""
    with open_server(database.server) as server:
        return measure_sizes(server, [database.name]).get(database.name, 0)


def _require_bounded(
    database: WorkspaceDatabase, context: StepContext, escapes: Sequence[str], size: int, outcome: _Outcome
) -> None:
    if escapes:
        reason = f"{escapes[0]}, past the storage limit; that isn't allowed here"
        raise outcome.failed("at its end", reason, None)
    beside = sum(KeptDatabase.objects.present().filter(database=database).values_list("size_bytes", flat=True))
    room = room_left(database, operation_id=context.operation_id, beside=beside, now=context.clock())
    if room is not None and size > room:
        failure = outcome.failed("at its end", f"it would fill {size:,} bytes, and there is room for {room:,}", None)
        raise QuotaExceeded(failure.detail, dimension=DIMENSION, limit=database.limit_bytes, used=database.size_bytes)


def _require_few_relations(*, before: int, now: int, outcome: _Outcome) -> None:
    allowed = settings.DATABASE_RELATIONS
    if now > max(allowed, before):
        reason = f"there would be {now:,} tables, views and sequences, and {allowed:,} are allowed; drop some"
        raise outcome.failed("at its end", reason, None)


def _mirror(database: WorkspaceDatabase, record: Sequence[AppliedMigration], context: StepContext) -> None:
    """Bring the platform's rows in line with the database's own record."""
    with transaction.atomic():
        row = WorkspaceDatabase.objects.select_for_update().get(pk=database.pk)
        gone, new = copy_record(row, record, applied_in=context)
        revision = revision_of_record(record)
        if not (gone or new) and row.revision == revision:
            return
        row.revision = revision
        row.save(update_fields=["revision", "updated_at"])
        if new:
            data = {
                "database": str(row.pk),
                "revision": row.revision,
                "applied": [{"version": one.version, "name": one.name} for one in new],
            }
            emit_event(type="database.migrated", workspace_id=row.workspace_id, data=data, now=context.clock())


def _milliseconds(limit: Any) -> str:
    return str(round(limit.total_seconds() * 1000))
