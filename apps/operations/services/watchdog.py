"""Ending steps: those that take too long or too much memory, and those that a stopping worker can't wait for."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

import psutil
import structlog
from django.conf import settings

from apps.operations.services.kinds import Step
from apps.operations.services.standby import run_beside
from apps.operations.services.stopping import asked_to_stop

log = structlog.get_logger(__name__)

#: The main thread is told to end its step by this signal: it interrupts sleeping and waiting for sockets too.
_SIGNAL = signal.SIGUSR2
#: The memory of the programs that a step started is read at every fifth look: it means reading all of /proc.
_LOOKS_PER_READING = 5
#: How often a step is told to end within its grace: one may swallow what it is told. Not oftener, as another one may be
#: just then telling a server to cancel its statement.
_TELLINGS = 4
#: In seconds: how exactly a system tells when a program was started, twice over.
_TICK = 0.02


class StepEnded(KeyboardInterrupt):
    """Raised inside a step that has to end now. Not an ``Exception``, so that no step takes it for an error of its own;
    a KeyboardInterrupt, upon which psycopg has the server cancel the statement that it waits for.

    ``code`` is ``step_timed_out``, ``step_out_of_memory`` or ``worker_stopping``.
    """

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(detail)


class Watchdog:
    """Looks at a running step every STEP_WATCH.

    A step that has to end gets StepEnded raised in its thread, and the programs that it started are ended. If it is
    still there STEP_END_GRACE later, stuck in code that doesn't listen, ``abandon`` is called with the same StepEnded
    to write that down, and the process ends itself: whoever keeps the workers running starts another one.

    Code in C that keeps the interpreter to itself stops this thread, and the lease's heartbeat, too. Then a timer of
    faulthandler's, a thread that needs no interpreter, ends the process when the lease has run out, as nobody knows any
    more whether another worker has taken over.
    """

    def __init__(self, step: Step, *, abandon: Callable[[StepEnded], None]) -> None:
        self._step = step
        self._abandon = abandon
        self._time_limit = step.time_limit or settings.STEP_TIME_LIMIT
        self._memory_limit = step.memory_limit or settings.STEP_MEMORY_LIMIT
        self._began_at = time.monotonic()
        self._began_after_boot = _after_boot()
        self._process = psutil.Process()
        self._memory_before = int(self._process.memory_info().rss)
        # Only the main thread can be interrupted; a step in another one that doesn't end by itself is abandoned.
        self._interruptible = threading.current_thread() is threading.main_thread()
        self._over = threading.Event()
        self._ended: StepEnded | None = None
        self._timer = threading.Lock()
        self._put_off_at = self._began_at

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Raises StepEnded in the block when it has to end."""
        global _watching  # noqa: PLW0603 - the main thread runs one step at a time
        if self._interruptible:
            _watching = self
            if signal.getsignal(_SIGNAL) is not _interrupt:
                signal.signal(_SIGNAL, _interrupt)
        watching = run_beside(self._watch)
        try:
            try:
                self._put_off_the_end()
                yield
            finally:
                self._over.set()
        finally:
            # Once more: StepEnded may have come just before. From here on it doesn't.
            self._over.set()
            with self._timer:
                if self._interruptible:
                    faulthandler.cancel_dump_traceback_later()
        wait([watching], timeout=1)

    @property
    def raises(self) -> StepEnded | None:
        """What the step has to be told, while it is there to be told."""
        return None if self._over.is_set() else self._ended

    def _put_off_the_end(self) -> None:
        """The interpreter answers: its process goes on for as long as a lease lasts."""
        with self._timer:
            if self._interruptible and not self._over.is_set():
                faulthandler.dump_traceback_later(settings.OPERATION_LEASE.total_seconds(), exit=True, file=2)
        self._put_off_at = time.monotonic()

    def _watch(self) -> None:
        looks = 0
        stop_by: float | None = None
        while not self._over.wait(settings.STEP_WATCH.total_seconds()):
            looks += 1
            if time.monotonic() - self._put_off_at > settings.OPERATION_HEARTBEAT.total_seconds():
                self._put_off_the_end()
            if stop_by is None and asked_to_stop():
                stop_by = time.monotonic() + settings.WORKER_STOP_GRACE
            self._ended = self._reason(stop_by, with_programs=looks % _LOOKS_PER_READING == 0)
            if self._ended is not None:
                self._end(self._ended)
                return

    def _reason(self, stop_by: float | None, *, with_programs: bool) -> StepEnded | None:
        if time.monotonic() - self._began_at > self._time_limit.total_seconds():
            return StepEnded(
                "step_timed_out",
                f"The step “{self._step.name}” took longer than {_in_words(self._time_limit)} and was ended.",
            )
        if self._memory(with_programs=with_programs) > self._memory_limit:
            return StepEnded(
                "step_out_of_memory",
                f"The step “{self._step.name}” needed more than {self._memory_limit // 2**20} MiB and was ended.",
            )
        if stop_by is not None and time.monotonic() > stop_by:
            return StepEnded("worker_stopping", "The worker had to stop and handed the work on.")
        return None

    def _memory(self, *, with_programs: bool) -> int:
        """What the step holds in bytes, above what the process held before."""
        held: int = self._process.memory_info().rss - self._memory_before
        if with_programs:
            for program in self._programs():
                with contextlib.suppress(psutil.Error):
                    held += program.memory_info().rss
        return held

    def _programs(self) -> list[psutil.Process]:
        """The programs that were started since the step began."""
        found = []
        for program in self._process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if _made_after_boot(program) >= self._began_after_boot - _TICK:
                    found.append(program)
        return found

    def _end(self, ended: StepEnded) -> None:
        log.warning("step_ended", step=self._step.name, code=ended.code)
        self._end_programs()
        grace = settings.STEP_END_GRACE.total_seconds()
        for _ in range(_TELLINGS):
            if self._interruptible and not self._over.is_set():
                signal.pthread_kill(threading.main_thread().ident or 0, _SIGNAL)
            if self._over.wait(grace / _TELLINGS):
                return
        log.error("worker_ends_itself", step=self._step.name, code=ended.code)
        self._end_programs()
        try:
            self._abandon(ended)
        finally:
            os._exit(70)  # EX_SOFTWARE

    def _end_programs(self) -> None:
        for program in self._programs():
            with contextlib.suppress(psutil.Error):
                program.kill()


def _after_boot() -> float:
    """Seconds since the machine started: /proc tells the age of programs so, and the time of day is adjusted."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.time()


def _made_after_boot(program: psutil.Process) -> float:
    """When the program was started, by the clock of ``_after_boot``."""
    made = float(program.create_time())
    return made - psutil.boot_time() if sys.platform == "linux" else made


_watching: Watchdog | None = None


def _interrupt(number: int, frame: FrameType | None) -> None:
    """The signal's handler. It stays in place when a step is over, so that a late signal does nothing."""
    if _watching is not None and (ended := _watching.raises) is not None:
        raise ended


def _in_words(limit: timedelta) -> str:
    seconds = limit.total_seconds()
    return f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"
