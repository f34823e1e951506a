"""Answers to slow work: 202 with the operation, or its result when the caller prefers to wait (RFC 7240)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from threading import BoundedSemaphore
from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework.response import Response

_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?(?=$|[,;\s])", re.IGNORECASE)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
_FINISHED = frozenset({"succeeded", "failed", "canceled"})

Reader = Callable[[UUID], Mapping[str, Any] | None]
_reader: Reader | None = None
#: Each waiting answer holds a thread of the server; beyond these, a preference to wait is not met.
_seats = BoundedSemaphore(settings.PREFER_WAIT_SEATS)


def set_operation_reader(reader: Reader) -> None:
    """The app that keeps operations tells how one is shown: ``id → the operation as the API shows it``, or None."""
    global _reader  # noqa: PLW0603 - one process, one reader
    _reader = reader


def read_operation(operation_id: UUID) -> dict[str, Any]:
    """The operation as the API shows it now; without a reader only its id."""
    shown = _reader(operation_id) if _reader is not None else None
    return dict(shown) if shown is not None else {"id": str(operation_id)}


def preferred_wait(header: str) -> float:
    """Seconds that a ``Prefer`` header asks to wait: 0 without one, at most ``PREFER_WAIT_MAX``."""
    match = _WAIT.search(header)
    return min(float(match[1]), settings.PREFER_WAIT_MAX.total_seconds()) if match else 0.0


def hold_answer(response: Response, *, operation_id: UUID, header: str) -> None:
    """Keep a 202 back until its operation is finished, for as long as the caller prefers; then it becomes a 200.

    To be called outside every transaction: the worker sees the operation when it is committed.
    """
    seconds = preferred_wait(header)
    if not seconds or _reader is None or not _seats.acquire(blocking=False):
        return
    try:
        end, pause = time.monotonic() + seconds, _FIRST_PAUSE
        while True:
            shown = read_operation(operation_id)
            remaining = end - time.monotonic()
            if shown.get("status") in _FINISHED or remaining <= 0:
                break
            time.sleep(min(pause, remaining))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
    finally:
        _seats.release()
    response.data = shown
    response["Preference-Applied"] = f"wait={round(seconds)}"
    if shown.get("status") in _FINISHED:
        response.status_code = 200
