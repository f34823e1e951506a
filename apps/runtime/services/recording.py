"""What visitors did, written off the request's path: kept in the process, written in batches by one thread.

A request appends to a list. Twice a second the background thread writes what has gathered, one statement for each
workspace. None is lost when the process is stopped in order; when it is killed, at most a second's worth. While
PostgreSQL is away rows wait, up to ``MAX_WAITING``; the oldest go first, and the log says how many.
"""

from __future__ import annotations

import atexit
import multiprocessing.util
import os
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    ProgrammingError,
    close_old_connections,
    connection,
    transaction,
)

from apps.common.ids import new_id
from apps.common.tenancy import SchemaRef, enter
from apps.runtime.models import RuntimeEvent, Session
from apps.runtime.querysets import EventRow, SessionRow
from apps.runtime.services.admission import Visitor
from apps.runtime.services.resolution import ResolvedApp
from apps.runtime.services.visits import Visit

log = structlog.get_logger(__name__)

MAX_WAITING = 50_000
SEEN_AGAIN_AFTER = 60.0
"""Seconds after which a session that is still in use is written again."""
_MAX_SEEN = 20_000

#: What PostgreSQL, or the way there, says of a row rather than of itself: wrong data, or text that has no encoding.
_ROW_REFUSED = (DataError, IntegrityError, ValueError)

_Rows = tuple[list[EventRow], list[SessionRow]]


class Recorder:
    """The rows of this process that are not yet written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._waiting: dict[str, _Rows] = defaultdict(lambda: ([], []))
        self._count = 0
        self._seen: OrderedDict[UUID, float] = OrderedDict()

    def record(self, schema: str, event: EventRow, session: SessionRow | None = None) -> None:
        """Keep an event, and the session it belongs to if that is new or hasn't been seen for a while."""
        background.ensure_running()
        with self._lock:
            events, sessions = self._waiting[schema]
            events.append(event)
            self._count += 1
            if session is not None and self._is_due(session.id, session.last_seen_at):
                sessions.append(session)
            excess = self._count - MAX_WAITING
        if excess > 0:
            self._drop_oldest(excess)

    def forget(self) -> None:
        """Drop what is waiting."""
        with self._lock:
            self._waiting = defaultdict(lambda: ([], []))
            self._seen.clear()
            self._count = 0

    def flush(self) -> int:
        """Write what is waiting; returns how many events were written.

        What can't be written while the database is away waits on. A row that can't be written at all is dropped alone,
        and what goes wrong with one workspace's rows keeps nobody else's from being written.
        """
        written = 0
        with self._writing:
            with self._lock:
                batches, self._waiting = self._waiting, defaultdict(lambda: ([], []))
                self._count = 0
            for schema, (events, sessions) in batches.items():
                try:
                    with enter(SchemaRef(schema)):
                        _write(Session.objects.write_all, sessions, schema)
                        written += _write(RuntimeEvent.objects.write_all, events, schema)
                except (DatabaseError, InterfaceError) as problem:
                    self._put_back(schema, events, sessions, problem)
                except Exception:
                    log.exception("runtime_events_lost", schema=schema, events=len(events))
        return written

    def _put_back(self, schema: str, events: list[EventRow], sessions: list[SessionRow], problem: Exception) -> None:
        if isinstance(problem, ProgrammingError) and "does not exist" in str(problem):
            # The workspace was purged meanwhile.
            log.warning("runtime_events_without_a_workspace", schema=schema, events=len(events))
            return
        with self._lock:
            waiting = self._waiting[schema]
            waiting[0][:0] = events
            waiting[1][:0] = sessions
            self._count += len(events)
        log.warning("runtime_events_not_written", waiting=self._count, reason=str(problem)[:200])

    def _drop_oldest(self, excess: int) -> None:
        dropped = 0
        with self._lock:
            for events, _ in self._waiting.values():
                take = min(len(events), excess - dropped)
                del events[:take]
                dropped += take
                if dropped >= excess:
                    break
            self._count -= dropped
        if dropped:
            log.warning("runtime_events_dropped", events=dropped)

    def _is_due(self, session: UUID, at: datetime) -> bool:
        moment = at.timestamp()
        last = self._seen.get(session)
        if last is not None and moment - last < SEEN_AGAIN_AFTER:
            return False
        self._seen[session] = moment
        self._seen.move_to_end(session)
        while len(self._seen) > _MAX_SEEN:
            self._seen.popitem(last=False)
        return True


def _write(write_all: Callable[[Sequence[Any]], None], rows: Sequence[Any], schema: str) -> int:
    """Write rows in one statement; when some among them can't be written, all but those. Returns how many."""
    try:
        with transaction.atomic():
            write_all(rows)
    except _ROW_REFUSED as problem:
        if len(rows) == 1:
            log.warning("runtime_row_dropped", schema=schema, row=type(rows[0]).__name__, reason=str(problem)[:200])
            return 0
        middle = len(rows) // 2
        return _write(write_all, rows[:middle], schema) + _write(write_all, rows[middle:], schema)
    return len(rows)


class Background:
    """The one background thread of a process: started by the first request, stopped with the process."""

    def __init__(self, *jobs: Callable[[], object]) -> None:
        self._jobs = list(jobs)
        self._last_jobs: list[Callable[[], object]] = []
        self._process = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def add(self, job: Callable[[], object], *, at_end: Callable[[], object] | None = None) -> None:
        """Have ``job`` called twice a second, and once more at the end; ``at_end`` after that."""
        self._jobs.append(job)
        if at_end is not None:
            self._last_jobs.append(at_end)

    def ensure_running(self) -> None:
        """Start the thread unless it runs already in this process (servers fork after loading)."""
        if self._process == os.getpid() or not settings.RUNTIME_BACKGROUND:
            return
        with self._lock:
            if self._process == os.getpid():
                return
            self._process = os.getpid()
            self._stop = threading.Event()
            threading.Thread(target=self._run, name="runtime-background", daemon=True).start()
            # Servers end their workers in different ways; each of these runs in one of them, and twice does no harm.
            atexit.register(self.stop)
            multiprocessing.util.Finalize(self, self.stop, exitpriority=100)

    def stop(self) -> None:
        """End the thread and do everything once more: what was recorded is written."""
        if self._process != os.getpid() or self._stop.is_set():
            return
        self._stop.set()
        self._work()
        self._do(self._last_jobs)
        connection.close()

    def _run(self) -> None:
        period = min(settings.RUNTIME_EVENT_FLUSH, settings.RUNTIME_REFRESH).total_seconds()
        while not self._stop.wait(period):
            self._work()
        connection.close()

    def _work(self) -> None:
        close_old_connections()
        self._do(self._jobs)

    @staticmethod
    def _do(jobs: Sequence[Callable[[], object]]) -> None:
        for job in jobs:
            try:
                job()
            except Exception:
                log.exception("runtime_background_failed")


recorder = Recorder()
background = Background(recorder.flush)


def record_visit(
    resolved: ResolvedApp,
    visit: Visit | None,
    *,
    kind: str,
    status: int,
    started: float,
    now: datetime,
    visitor: Visitor,
    user_agent: str,
    run_id: UUID | None = None,
) -> None:
    """Record an event and its session. ``started`` is of ``time.perf_counter()``."""
    app_id = resolved.app.id
    event = EventRow(
        id=new_id(),
        app_id=app_id,
        kind=kind,
        version=resolved.app.version,
        session_id=visit.id if visit else None,
        status=status,
        milliseconds=round((time.perf_counter() - started) * 1000, 3),
        run_id=run_id,
        at=now,
    )
    session = None
    if visit is not None:
        session = SessionRow(
            id=visit.id,
            app_id=app_id,
            user_id=visitor.person,
            address=visitor.address,
            user_agent=user_agent[:300].replace("\x00", ""),
            started_at=now,
            last_seen_at=now,
            expires_at=datetime.fromtimestamp(visit.expires_at, tz=now.tzinfo),
        )
    recorder.record(resolved.workspace.schema_name, event, session)
