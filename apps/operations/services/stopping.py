"""Whether this worker was asked to stop: one byte that it shares with the processes which it forks.

SIGTERM asks. It may come to the worker alone or, as systemd sends it, to all its processes and their programs at once;
either way a process with work in hand puts it in order first.
"""

from __future__ import annotations

import mmap
import os
import signal
import threading
from types import FrameType
from typing import Any

# Anonymous and shared: a worker's parent process takes the signal, and its children see what it writes.
_asked = mmap.mmap(-1, 1)
_IN_ORDER, _AT_ONCE = 1, 2

#: The process that is the worker; those that it forks have another number.
_worker: int | None = None
#: SIGTERM came to this process while it had a task in hand.
_told = False
#: What SIGTERM does to this process between two tasks.
_usual: Any = None


def ask_to_stop(*, at_once: bool = False) -> None:
    """From now on this worker, all its processes, begins no step. ``at_once``: SIGTERM ends those in hand again."""
    _asked[0] = _AT_ONCE if at_once else _IN_ORDER


def asked_to_stop() -> bool:
    """Whether somebody asked this worker to stop, or this process of it that has a task in hand."""
    return _told or _asked[0] != 0


def forget_to_stop() -> None:
    """A worker begins in this process: what was asked of an earlier one is over."""
    global _worker  # noqa: PLW0603 - one process, one worker
    _worker = os.getpid()
    _asked[0] = 0


def hold_work() -> None:
    """A process of a worker has a task in hand: until `release_work` SIGTERM asks it to stop, and doesn't end it. Its
    worker ends it afterwards. The worker itself, whose SIGTERM is Celery's, and other programs are left as they are."""
    global _usual  # noqa: PLW0603 - one process, one task at a time
    if _worker in (None, os.getpid()) or threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is not _hear:
        _usual = signal.signal(signal.SIGTERM, _hear)


def release_work() -> None:
    """The task is over."""
    global _told  # noqa: PLW0603 - one process, one task at a time
    if signal.getsignal(signal.SIGTERM) is _hear:
        signal.signal(signal.SIGTERM, _usual)
    _told = False


def _hear(number: int, frame: FrameType | None) -> None:
    global _told  # noqa: PLW0603 - one process, one task at a time
    _told = True
    if _asked[0] == _AT_ONCE:
        signal.signal(number, _usual)
        os.kill(os.getpid(), number)
