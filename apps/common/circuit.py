"""A part that is down is asked again after a pause, not by every request."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)


class Circuit:
    """Remembers, in this process, that a part failed a moment ago.

    ``closed`` is true when the part may be asked. After ``fail`` it is false for ``pause`` seconds; then one thread
    after the other may try again, and the first success closes it.
    """

    def __init__(self, name: str, *, pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.pause = pause
        self._clock = clock
        self._open_until = 0.0
        self._failing = False

    @property
    def closed(self) -> bool:
        return self._clock() >= self._open_until

    def fail(self, error: Exception) -> None:
        """The part did not answer. Logged once for each time that it goes down."""
        if not self._failing:
            log.warning("part_unavailable", part=self.name, error=str(error))
        self._failing = True
        self._open_until = self._clock() + self.pause

    def succeed(self) -> None:
        """The part answered."""
        if self._failing:
            log.info("part_available_again", part=self.name)
            self._failing = False
            self._open_until = 0.0
