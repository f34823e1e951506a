"""Connections that are kept for the next statement, of all databases together.

Not ``psycopg_pool``: it keeps threads for each pool (three workers and a scheduler), and there is a pool for each of
thousands of databases, most of which are idle. Here nothing runs for a database that nobody asks; one thread, only
while something is kept, closes what has been kept for too long.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.pq import TransactionStatus

from apps.databases.errors import TooManyQueries, WorkspaceDatabaseUnavailable


class PoolKey(NamedTuple):
    """A database and the version of its login's secret: a rotation makes another key."""

    database: UUID
    secret_version: int


@dataclass(slots=True)
class _Kept:
    key: PoolKey
    connection: psycopg.Connection[Any]
    since: float


class ConnectionPool:
    """At most ``max_kept`` idle connections, the least recently used go first; at most ``max_used`` of one database
    in use. Idle ones are closed after ``max_age`` seconds. All within one process."""

    def __init__(
        self, *, max_kept: int, max_used: int, max_age: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_kept = max_kept
        self._max_used = max_used
        self._max_age = max_age
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: list[_Kept] = []
        self._used: Counter[UUID] = Counter()
        self._reaper: threading.Thread | None = None
        self._inherited: list[Any] = []
        os.register_at_fork(after_in_child=self._begin_anew)

    @contextmanager
    def connection(
        self,
        key: PoolKey,
        *,
        connect: Callable[[], psycopg.Connection[Any]],
        prepare: Callable[[psycopg.Connection[Any]], None],
    ) -> Iterator[psycopg.Connection[Any]]:
        """A connection on which ``prepare`` has succeeded; one that was kept and has died meanwhile is replaced.

        Afterwards everything that the session was told is forgotten (``DISCARD ALL``) before anybody else gets it.
        Raises TooManyQueries, WorkspaceDatabaseUnavailable, and what ``connect`` raises.
        """
        with self._lock:
            if self._used[key.database] >= self._max_used:
                raise TooManyQueries
            self._used[key.database] += 1
        try:
            connection = self._ready_connection(key, connect, prepare)
            try:
                yield connection
            finally:
                self._give_back(key, connection)
        finally:
            with self._lock:
                self._used[key.database] -= 1
                if not self._used[key.database]:
                    del self._used[key.database]

    def kept(self, database: UUID | None = None) -> int:
        """How many idle connections there are, of one database or of all."""
        with self._lock:
            return sum(1 for kept in self._kept if database in (None, kept.key.database))

    def close(self, database: UUID | None = None) -> None:
        """Close the idle connections, of one database or of all."""
        self._drop(lambda kept: database in (None, kept.key.database))

    def _ready_connection(
        self,
        key: PoolKey,
        connect: Callable[[], psycopg.Connection[Any]],
        prepare: Callable[[psycopg.Connection[Any]], None],
    ) -> psycopg.Connection[Any]:
        self._drop(lambda kept: kept.key.database == key.database and kept.key != key)
        while (connection := self._take(key)) is not None:
            try:
                prepare(connection)
            except psycopg.OperationalError:
                connection.close()
            else:
                return connection
        connection = connect()
        try:
            prepare(connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, psycopg.OperationalError):
                raise WorkspaceDatabaseUnavailable from error
            raise
        return connection

    def _take(self, key: PoolKey) -> psycopg.Connection[Any] | None:
        with self._lock:
            for index in range(len(self._kept) - 1, -1, -1):
                if self._kept[index].key == key:
                    return self._kept.pop(index).connection
        return None

    def _give_back(self, key: PoolKey, connection: psycopg.Connection[Any]) -> None:
        try:
            if connection.closed:
                return
            if connection.info.transaction_status != TransactionStatus.IDLE:
                connection.rollback()
            connection.execute("DISCARD ALL")
        except psycopg.Error:
            connection.close()
            return
        with self._lock:
            self._kept.append(_Kept(key, connection, self._clock()))
            surplus = [self._kept.pop(0) for _ in range(len(self._kept) - self._max_kept)]
            if self._reaper is None and self._kept:
                self._reaper = threading.Thread(target=self._reap, name="workspace-connections", daemon=True)
                self._reaper.start()
        for kept in surplus:
            kept.connection.close()

    def close_old(self) -> None:
        """Close what has been idle for longer than ``max_age``."""
        oldest = self._clock() - self._max_age
        self._drop(lambda kept: kept.since <= oldest)

    def _drop(self, unwanted: Callable[[_Kept], bool]) -> None:
        with self._lock:
            dropped = [kept for kept in self._kept if unwanted(kept)]
            self._kept = [kept for kept in self._kept if not unwanted(kept)]
        for kept in dropped:
            kept.connection.close()

    def _reap(self) -> None:
        while True:
            time.sleep(self._max_age / 2)
            self.close_old()
            with self._lock:
                if not self._kept:
                    self._reaper = None
                    return

    def _begin_anew(self) -> None:
        """In a forked child: the sockets are the parent's. Closing them here would end the parent's sessions, so they
        are held, unused, for as long as this process lives."""
        self._inherited.append(self._kept)
        self._lock = threading.Lock()
        self._kept, self._used, self._reaper = [], Counter(), None
