"""How often something may happen: counted in Redis, for all processes together.

A window begins with the first call of a caller and lasts as long as the rate says. ``hit`` counts exactly, with one
round trip; while Redis is down it counts in the database, so that guessing passwords stays slow. ``hit_roughly``
counts in the process and reconciles with Redis a few times a second: for what happens often and must cost nothing.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from threading import Lock
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from apps.common.models import RateCount
from apps.common.redis_access import attempt, client
from apps.common.retention import delete_some, forget_in_batches
from apps.common.tenancy import enter_public

_RECONCILE_SECONDS = 0.25
_BUCKETS_KEPT = 20_000

#: Adds to a count and says how long its window still lasts, in one round trip.
_COUNT = """
local used = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]); left = tonumber(ARGV[2]) end
return {used, left}
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """``limit`` times in ``seconds``."""

    limit: int
    seconds: int

    @classmethod
    @lru_cache(maxsize=64)
    def parse(cls, text: str) -> Rate:
        """From ``"600/60"``. Raises ValueError for another form or a number that isn't positive."""
        limit, _, seconds = text.partition("/")
        rate = cls(int(limit), int(seconds))
        if rate.limit < 1 or rate.seconds < 1:
            raise ValueError(f"{text} is not a rate.")
        return rate


@dataclass(frozen=True, slots=True)
class Count:
    """Where a caller stands in the present window, this call included; ``resets_in`` is in seconds."""

    rate: Rate
    used: int
    resets_in: float

    @property
    def allowed(self) -> bool:
        return self.used <= self.rate.limit

    @property
    def remaining(self) -> int:
        return max(0, self.rate.limit - self.used)


@lru_cache(maxsize=4096)
def counted_as(address: str) -> str:
    """The address by which a caller is counted: of IPv6 the network of 64 bits, which is one household's or machine's
    to choose addresses from (RFC 6177), an IPv4 address by itself.
    """
    try:
        known = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(known), 64), strict=False).network_address)


def hit(scope: str, key: str, rate: Rate) -> Count:
    """Count one call of ``key`` in ``scope``, exactly.

    While Redis is down the count is a row, written outside of the caller's workspace. It is kept only when the
    surrounding transaction is, so refuse outside of one.
    """
    counted = attempt(lambda: _in_redis(scope, key, rate, 1))
    used, milliseconds = counted if counted is not None else _in_database(scope, key, rate)
    return Count(rate, used, milliseconds / 1000)


@dataclass(slots=True)
class _Bucket:
    """One caller's window as this process knows it: what Redis said, and what it hasn't been told yet."""

    ends: float
    shared: int = 0
    pending: int = 0
    reconciled: float = field(default=-1e9)


class RoughCounter:
    """Counts in the process and with Redis together.

    With n processes a caller can exceed a limit by what the others admit within a quarter of a second. From nine
    tenths of the limit on every call is reconciled; beyond the limit none is, so a flood costs Redis nothing.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._lock = Lock()
        self._clock = clock

    def hit(self, scope: str, key: str, rate: Rate) -> Count:
        now = self._clock()
        with self._lock:
            bucket = self._buckets.get((scope, key))
            if bucket is None or now >= bucket.ends:
                bucket = self._begin(scope, key, now + rate.seconds)
            bucket.pending += 1
            used = bucket.shared + bucket.pending
            known_to_be_over = bucket.shared > rate.limit
            is_near = used * 10 >= rate.limit * 9
            is_due = not known_to_be_over and (is_near or now - bucket.reconciled >= _RECONCILE_SECONDS)
            sent = bucket.pending if is_due else 0
            if is_due:
                bucket.shared, bucket.pending, bucket.reconciled = bucket.shared + sent, 0, now
        if is_due:
            counted = attempt(lambda: _in_redis(scope, key, rate, sent))
            if counted is not None:
                with self._lock:
                    bucket.shared = counted[0]
                    bucket.ends = now + counted[1] / 1000
                used = counted[0]
        return Count(rate, used, max(0.0, bucket.ends - now))

    def _begin(self, scope: str, key: str, ends: float) -> _Bucket:
        if len(self._buckets) >= _BUCKETS_KEPT:
            now = self._clock()
            kept = [(name, bucket) for name, bucket in self._buckets.items() if bucket.ends > now]
            self._buckets = dict(kept[-_BUCKETS_KEPT // 2 :])
        bucket = self._buckets[scope, key] = _Bucket(ends)
        return bucket


_rough = RoughCounter()
hit_roughly = _rough.hit


def purge_counts(*, now: datetime) -> int:
    """Delete the counts of windows that have ended; returns how many."""
    ended = RateCount.objects.filter(until__lt=now)
    return forget_in_batches("common.rates", lambda limit: delete_some(ended, limit)).count


@lru_cache(maxsize=1)
def _script(connections: Any) -> Any:
    return connections.register_script(_COUNT)


def _in_redis(scope: str, key: str, rate: Rate, amount: int) -> tuple[int, int]:
    used, left = _script(client())(
        keys=[f"{settings.REDIS_KEY_PREFIX}rate:{scope}:{rate.seconds}:{key}"], args=[amount, rate.seconds * 1000]
    )
    return int(used), int(left)


def _in_database(scope: str, key: str, rate: Rate) -> tuple[int, int]:
    now = timezone.now()
    with enter_public(), connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO common_ratecount AS counted (bucket, used, until) VALUES (%(bucket)s, 1, %(until)s)
            ON CONFLICT (bucket) DO UPDATE SET
                used = CASE WHEN counted.until <= %(now)s THEN 1 ELSE counted.used + 1 END,
                until = CASE WHEN counted.until <= %(now)s THEN EXCLUDED.until ELSE counted.until END
            RETURNING used, until
            """,
            {
                "bucket": f"{scope}:{rate.seconds}:{key}"[:250],
                "until": now + timedelta(seconds=rate.seconds),
                "now": now,
            },
        )
        used, until = cursor.fetchone()
    return used, round((until - now).total_seconds() * 1000)
