"""How many locks a session holds, seen from outside, and ending it when they are too many.

PostgreSQL keeps a lock for each table, index and sequence that a transaction makes or touches, until its end, in one
table in memory that all databases of the server share (``max_locks_per_transaction``, by default for 6,400). When it
is full, whoever comes next fails: "out of shared memory".
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self

import psycopg
import structlog

log = structlog.get_logger(__name__)

#: Between two looks, seconds: a loop that makes tables makes about a hundred in this time.
_LOOK = 0.1


class LockWatch:
    """Looks at a session as long as the block runs, and ends it as soon as it holds more than ``limit`` locks.

    ``server`` is a superuser's connection in autocommit mode that nobody else uses meanwhile.
    """

    def __init__(self, server: psycopg.Connection[Any], *, pid: int, limit: int) -> None:
        self._server, self._pid, self.limit = server, pid, limit
        self._over = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="lock-watch", daemon=True)
        self.most = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def exceeded(self) -> bool:
        """Whether the session holds too many now, or was ended because it did."""
        return self._over.is_set() or self._look()

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK):
            try:
                if self._look():
                    self._server.execute("SELECT pg_terminate_backend(%s)", [self._pid])
                    return
            except psycopg.Error as error:
                log.warning("locks_not_watched", error=str(error))
                return

    def _look(self) -> bool:
        # A fast path's locks are in the session's own memory.
        row = self._server.execute("SELECT count(*) FROM pg_locks WHERE pid = %s AND NOT fastpath", [self._pid])
        (held,) = row.fetchone() or (0,)
        self.most = max(self.most, held)
        if self.most > self.limit:
            self._over.set()
        return self._over.is_set()
