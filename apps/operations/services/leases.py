"""Holding an operation while its steps run, and noticing when it is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from datetime import datetime
from types import TracebackType
from typing import Self
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, connection

from apps.operations.errors import LeaseLost
from apps.operations.models import Operation
from apps.operations.services.standby import run_beside

log = structlog.get_logger(__name__)


class Lease:
    """Extends the operation's lease every heartbeat, in a thread beside, for as long as the block runs.

    A database that doesn't answer is not yet a lost lease: the row decides, at the next beat or the next record.
    """

    def __init__(self, *, operation_id: UUID, attempt: int, clock: Callable[[], datetime]) -> None:
        self._operation_id = operation_id
        self._attempt = attempt
        self._clock = clock
        self._stopped = threading.Event()
        self._lost = threading.Event()
        self._beating: Future[None] | None = None

    def __enter__(self) -> Self:
        self._beating = run_beside(self._beat)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._beating is not None:
            wait([self._beating], timeout=5)

    def require(self) -> None:
        """Raise LeaseLost when another worker has taken over."""
        if self._lost.is_set():
            raise LeaseLost(f"operation {self._operation_id}, attempt {self._attempt}")

    def _beat(self) -> None:
        try:
            while not self._stopped.wait(settings.OPERATION_HEARTBEAT.total_seconds()):
                if not self._extend():
                    self._lost.set()
                    return
        finally:
            connection.close()

    def _extend(self) -> bool:
        held = Operation.objects.held_by(self._operation_id, self._attempt)
        try:
            return bool(held.update(lease_until=self._clock() + settings.OPERATION_LEASE))
        except DatabaseError as error:
            connection.close()
            log.warning("heartbeat_failed", operation=str(self._operation_id), error=str(error))
            return True
