"""How often a visitor, and all visitors of an app together, may ask: counted here, added up in Redis in the background.

Counting costs a request nothing but a dictionary; each half second every process tells Redis what it counted and
learns the sum of all. While Redis is away each process counts for itself: the limits fail open, not shut.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

log = structlog.get_logger(__name__)

WINDOW = 60
"""Seconds; limits are per minute."""

SHARED_ADDRESS = 10
"""Visitors who may share one network address before it counts as one (offices, mobile networks)."""


@dataclass(slots=True)
class _Counter:
    window: int
    here: int = 0
    """Counted by this process and not yet told to Redis."""
    everywhere: int = 0
    """The sum of all processes, as it was last heard."""


class SharedCounts(Protocol):
    """Where processes add up."""

    def add(self, amounts: dict[str, int], *, seconds: int) -> dict[str, int]:
        """Add to each named count; returns the sums. A count is forgotten after ``seconds``."""
        ...


@dataclass(frozen=True, slots=True)
class Allowance:
    """The answer to one request: how many are left, and in how many seconds the count starts anew."""

    allowed: bool
    limit: int
    remaining: int
    resets_in: int


class RateLimits:
    """The counts of this process."""

    def __init__(self, shared: SharedCounts | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._counters: dict[str, _Counter] = {}
        self._lock = threading.Lock()
        self.shared = shared

    def take(self, key: str, limit: int) -> Allowance:
        """Count one request under ``key`` and say whether it is within ``limit`` a minute."""
        now = self._clock()
        window = int(now // WINDOW)
        with self._lock:
            counter = self._counters.get(key)
            if counter is None or counter.window != window:
                counter = self._counters[key] = _Counter(window)
            counter.here += 1
            total = counter.here + counter.everywhere
        return Allowance(total <= limit, limit, max(0, limit - total), WINDOW - int(now % WINDOW))

    def forget(self) -> None:
        """Start counting anew."""
        with self._lock:
            self._counters.clear()

    def synchronise(self) -> None:
        """Tell Redis what was counted and hear the sums. Called in the background; never raises."""
        window = int(self._clock() // WINDOW)
        with self._lock:
            for key in [key for key, counter in self._counters.items() if counter.window != window]:
                del self._counters[key]
            told = {key: counter.here for key, counter in self._counters.items() if counter.here}
        if not told or self.shared is None:
            return
        names = {f"rate:{window}:{key}": key for key in told}
        try:
            sums = self.shared.add({name: told[key] for name, key in names.items()}, seconds=WINDOW * 2)
        except Exception as problem:  # noqa: BLE001 - whatever is wrong with Redis, visitors are served
            log.info("rate_limits_not_shared", reason=str(problem)[:200])
            return
        with self._lock:
            for name, total in sums.items():
                counter = self._counters.get(names[name])
                if counter is not None and counter.window == window:
                    counter.here -= told[names[name]]
                    counter.everywhere = total


class RedisCounts:
    """Sums in Redis, one round trip for all of them."""

    def __init__(self, connect: Callable[[], Any], *, prefix: str = "") -> None:
        self._connect = connect
        self._prefix = prefix
        self._client: Any = None

    def add(self, amounts: dict[str, int], *, seconds: int) -> dict[str, int]:
        """Add to each named count; returns the sums."""
        if self._client is None:
            self._client = self._connect()
        pipeline = self._client.pipeline(transaction=False)
        for name, amount in amounts.items():
            pipeline.incrby(self._prefix + name, amount)
            pipeline.expire(self._prefix + name, seconds)
        answers = pipeline.execute()
        return dict(zip(amounts, answers[::2], strict=True))
