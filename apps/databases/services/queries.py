"""Running one statement of a workspace in its own database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from django.conf import settings
from django.db import transaction

from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor
from apps.databases.clients.statements import Bounds, Column, StatementResult, run_statement
from apps.databases.errors import StatementFailed, StatementNotAllowed, WorkspaceDatabaseUnavailable
from apps.databases.models import WorkspaceDatabase
from apps.databases.selectors.databases import ready_database
from apps.databases.services.connections import runtime_transaction
from apps.databases.services.space import over_limit
from apps.databases.services.sql_text import BoundText, bind_names, split_statements, without_values

_READS = frozenset({"select", "with", "values", "table", "explain", "show"})
_WRITES = frozenset({"insert", "update", "delete", "merge", "truncate", "call"})
_INSUFFICIENT_PRIVILEGE = "42501"
_READ_ONLY_TRANSACTION = "25006"


@dataclass(frozen=True, slots=True)
class QueryResult:
    """JSON values: ``rows`` in the order of ``columns``; ``truncated`` when there were more than fit; ``count`` of the
    rows that were returned or changed, None when that isn't known."""

    columns: tuple[Column, ...]
    rows: list[list[Any]]
    truncated: bool
    count: int | None


def run_query(
    *,
    workspace: Any,
    sql: str,
    params: Mapping[str, Any] | None = None,
    write: bool = False,
    max_rows: int | None = None,
    actor: Actor,
    now: datetime,
) -> QueryResult:
    """Run one statement with ``:name`` bound to the values in ``params``, and nothing else.

    Without ``write`` it can't change anything; with it, it is audited, and committed as a whole or not at all. At most
    ``max_rows`` (and the setting), ``DATABASE_QUERY_BYTES`` and ``DATABASE_QUERY_TIME``. Raises DatabaseNotFound,
    DatabaseNotReady, InvalidInput for names that don't fit, StatementNotAllowed, StatementFailed with SQLSTATE and
    position, StatementTimeout, ResultTooLarge, QuotaExceeded when the storage is full, TooManyQueries,
    WorkspaceDatabaseUnavailable.
    """
    database = ready_database(workspace.id)
    _require_allowed(sql, write=write)
    bound = bind_names(sql, params or {})
    bounds = Bounds(
        rows=min(max_rows or settings.DATABASE_QUERY_ROWS, settings.DATABASE_QUERY_ROWS),
        size=settings.DATABASE_QUERY_BYTES,
        seconds=settings.DATABASE_QUERY_TIME.total_seconds(),
    )
    with runtime_transaction(database, write=write, limit=settings.DATABASE_QUERY_TIME) as connection:
        try:
            result = run_statement(connection, text=bound.text, values=bound.values, bounds=bounds, keep_all=write)
        except StatementFailed as error:
            raise _explained(error, bound, database, write=write) from error
        if write:
            with transaction.atomic():
                _audit(workspace, database, sql, result, actor=actor, now=now)
                _commit(connection)
    return QueryResult(result.columns, result.rows, result.truncated, result.count)


def _require_allowed(text: str, *, write: bool) -> None:
    statements = split_statements(text)
    if len(statements) != 1:
        raise StatementNotAllowed(f"Send one statement, not {len(statements)}.")
    word = (statements[0].words or ("",))[0]
    if word in _READS or (write and word in _WRITES):
        return
    if word in _WRITES:
        raise StatementNotAllowed(f"{word.upper()} changes rows. Say write: true, if you may.")
    raise StatementNotAllowed(
        "Only statements that read or change rows can be run here. Change tables by a migration.",
    )


def _explained(error: StatementFailed, bound: BoundText, database: WorkspaceDatabase, *, write: bool) -> Exception:
    """The server's error in the caller's terms."""
    if write and error.sqlstate == _INSUFFICIENT_PRIVILEGE:
        full = over_limit(database)
        if full is not None:
            return full
    if not write and error.sqlstate == _READ_ONLY_TRANSACTION:
        return StatementNotAllowed(f"{error.detail}. Say write: true, if you may.")
    if error.position is None:
        return error
    return StatementFailed(
        error.detail,
        **{**error.extra, "sqlstate": error.sqlstate, "position": bound.original_position(error.position)},
    )


def _commit(connection: psycopg.Connection[Any]) -> None:
    """Deferred constraints speak here."""
    try:
        connection.execute("COMMIT")
    except psycopg.OperationalError as error:
        raise WorkspaceDatabaseUnavailable from error
    except psycopg.Error as error:
        raise StatementFailed(error.diag.message_primary or str(error), sqlstate=error.sqlstate or "") from error


def _audit(
    workspace: Any, database: WorkspaceDatabase, text: str, result: StatementResult, *, actor: Actor, now: datetime
) -> None:
    """The statement, not the values: those are the rows' own, and who may read the trail may not read the rows."""
    record_act_in(
        workspace,
        actor=actor,
        action="database.write",
        target=Target(kind="database", id=str(database.pk), name=database.name),
        now=now,
        changes={"sql": [None, without_values(text)[:2000]], "rows": [None, result.count]},
    )
