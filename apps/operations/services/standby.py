"""Threads that stand by in this process: to start one anew takes half a millisecond, and somebody waits for a step."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import structlog

log = structlog.get_logger(__name__)

#: More than a process ever has at once: two for each step, and a process of ours runs one step.
_MOST = 64

_threads = ThreadPoolExecutor(_MOST, thread_name_prefix="standby")


def run_beside(work: Callable[[], None]) -> Future[None]:
    """Run ``work`` in a thread that stands by, or a new one; the Future is done when it is over. What it raises is
    logged, too. It must come to an end: the process waits for it when it exits."""
    running = _threads.submit(work)
    running.add_done_callback(_tell)
    return running


def _tell(ended: Future[None]) -> None:
    if (error := ended.exception()) is not None:
        log.error("thread_failed", exc_info=error)


def _begin_anew() -> None:
    """A process that was forked has its parent's memory, and none of its threads."""
    global _threads  # noqa: PLW0603 - one process, one pool
    _threads = ThreadPoolExecutor(_MOST, thread_name_prefix="standby")


os.register_at_fork(after_in_child=_begin_anew)
