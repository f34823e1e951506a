"""Running one statement that somebody else wrote, with bounds on time, rows and bytes.

The statement travels by the extended protocol: its values apart from its text, and the server refuses a second
statement in it. Rows come one by one and their bytes are counted before they are read, so that neither a million rows
nor one row of a gigabyte fill the memory of this process.
"""

from __future__ import annotations

import json
import select
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import pq
from psycopg.pq.abc import PGresult

from apps.databases.clients.gate import Gate
from apps.databases.clients.values import readers, type_name, write_parameter
from apps.databases.errors import ResultTooLarge, StatementFailed, StatementTimeout, WorkspaceDatabaseUnavailable

#: How much longer than the server's own limit this side waits, seconds.
_PATIENCE = 2.0
_ROWS = frozenset({pq.ExecStatus.SINGLE_TUPLE, pq.ExecStatus.TUPLES_OK})
#: Classes of SQLSTATE that say something of the server, not of the statement: connection, resources, intervention.
_SERVER_FAULTS = ("08", "53", "57P", "58", "XX")


@dataclass(frozen=True, slots=True)
class Bounds:
    """At most so many rows and bytes of JSON in the answer, after at most so many seconds."""

    rows: int
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an answer and PostgreSQL's name of its type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class StatementResult:
    """What a statement answered: JSON values, and how many rows it returned or changed (``count``, when known)."""

    columns: tuple[Column, ...]
    rows: list[list[Any]]
    truncated: bool
    count: int | None


class _Overflow(Exception):
    """More bytes are coming than may be read."""


def run_statement(
    connection: psycopg.Connection[Any],
    *,
    text: str,
    values: Sequence[Any],
    bounds: Bounds,
    keep_all: bool,
) -> StatementResult:
    """Run ``text`` in the connection's present transaction.

    With ``keep_all`` the statement is run to its end, though rows beyond the bounds are not kept (it changes
    something); without, it is canceled as soon as the answer is full. Raises StatementFailed, StatementTimeout,
    ResultTooLarge (``keep_all`` only), WorkspaceDatabaseUnavailable; after the last three, and after a truncated
    answer that couldn't be canceled, the connection is closed.
    """
    reading = _Reading(connection, bounds, keep_all=keep_all)
    try:
        reading.send(text, values)
        return reading.collect()
    except _Overflow:
        connection.close()
        if keep_all:
            raise ResultTooLarge from None
        return reading.result(truncated=True)
    except psycopg.OperationalError as error:
        connection.close()
        raise WorkspaceDatabaseUnavailable from error


class _Reading:
    """One statement under way."""

    def __init__(self, connection: psycopg.Connection[Any], bounds: Bounds, *, keep_all: bool) -> None:
        self._connection = connection
        self._protocol = connection.pgconn
        self._bounds = bounds
        self._keep_all = keep_all
        self._deadline = time.monotonic() + bounds.seconds + _PATIENCE
        self._size = 0
        self._columns: tuple[Column, ...] = ()
        self._rows: list[list[Any]] = []
        self._returned = 0
        self._count: int | None = None

    def send(self, text: str, values: Sequence[Any]) -> None:
        written = [write_parameter(value) for value in values]
        self._protocol.send_query_params(
            text.encode(), [value for _, value in written], param_types=[oid for oid, _ in written]
        )
        self._protocol.set_single_row_mode()
        while self._protocol.flush():
            poll = select.poll()
            poll.register(self._protocol.socket, select.POLLIN | select.POLLOUT)
            if not poll.poll(max(0.0, self._deadline - time.monotonic()) * 1000):
                self._connection.close()
                raise self._timeout()
            self._protocol.consume_input()

    def collect(self) -> StatementResult:
        with Gate(self._protocol) as self._gate:
            return self._collect()

    def _collect(self) -> StatementResult:
        truncated = False
        failed: PGresult | None = None
        while (answer := self._next()) is not None:
            if answer.status in _ROWS:
                truncated |= self._take(answer)
                if truncated and not self._keep_all:
                    self._give_up_the_rest()
                    break
            elif answer.status == pq.ExecStatus.COMMAND_OK:
                self._count = answer.command_tuples
            elif answer.status == pq.ExecStatus.FATAL_ERROR:
                failed = answer
            else:  # COPY, which has no answer
                self._connection.close()
                raise StatementFailed("This kind of statement can't be run here.", sqlstate="0A000")
        if failed is not None:
            self._raise(failed)
        return self.result(truncated=truncated)

    def result(self, *, truncated: bool) -> StatementResult:
        count = (
            self._count if self._count is not None else (self._returned if self._keep_all or not truncated else None)
        )
        return StatementResult(self._columns, self._rows, truncated, count)

    def _take(self, answer: PGresult) -> bool:
        """Keep the rows of an answer that fit; True when some don't."""
        if not self._columns and answer.nfields:
            oids = [answer.ftype(index) for index in range(answer.nfields)]
            self._load = readers(oids)
            self._columns = tuple(
                Column((answer.fname(index) or b"").decode("utf-8", "replace"), type_name(oid))
                for index, oid in enumerate(oids)
            )
        for row in range(answer.ntuples):
            self._returned += 1
            loaded = []
            for index, load in enumerate(self._load):
                value = answer.get_value(row, index)
                loaded.append(None if value is None else load(value))
            self._size += len(json.dumps(loaded, ensure_ascii=False).encode("utf-8", "replace"))
            if len(self._rows) >= self._bounds.rows or self._size > self._bounds.size:
                return True
            self._rows.append(loaded)
        return False

    def _give_up_the_rest(self) -> None:
        try:
            self._connection.cancel_safe(timeout=_PATIENCE)
            while self._next() is not None:
                pass
        except (_Overflow, StatementTimeout, psycopg.Error):
            self._connection.close()

    def _next(self) -> PGresult | None:
        """The next row or the end. Raises _Overflow before more of a row than fits the bounds is in memory."""
        pending = 0
        while self._protocol.is_busy():
            portion = self._gate.let_in(self._deadline - time.monotonic())
            if portion is None:
                self._connection.close()
                raise self._timeout()
            pending += portion
            if pending > 2 * self._bounds.size + 65_536:
                raise _Overflow
        return self._protocol.get_result()

    def _timeout(self) -> StatementTimeout:
        return StatementTimeout(f"The statement took longer than {self._bounds.seconds:g} s and was ended.")

    def _raise(self, failed: PGresult) -> None:
        def field(name: pq.DiagnosticField) -> str:
            return (failed.error_field(name) or b"").decode("utf-8", "replace")

        sqlstate = field(pq.DiagnosticField.SQLSTATE)
        message = field(pq.DiagnosticField.MESSAGE_PRIMARY) or "The server said no more."
        if sqlstate == "57014":
            raise self._timeout()
        if not sqlstate or sqlstate.startswith(_SERVER_FAULTS):
            self._connection.close()
            raise WorkspaceDatabaseUnavailable(f"The database ended the statement: {message}")
        position = field(pq.DiagnosticField.STATEMENT_POSITION)
        raise StatementFailed(
            message,
            sqlstate=sqlstate,
            position=int(position) if position.isdigit() else None,
            hint=field(pq.DiagnosticField.MESSAGE_HINT) or None,
            detail_of_server=field(pq.DiagnosticField.MESSAGE_DETAIL) or None,
        )
