"""The rate limits of this process, shared with the others through Redis in the background."""

from __future__ import annotations

from uuid import UUID

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from apps.applications.selectors import VisitPolicy
from apps.common.rates import Count, Rate, counted_as, hit_roughly
from apps.runtime.services.admission import Visitor
from apps.runtime.services.limits import SHARED_ADDRESS, Allowance, RateLimits, RedisCounts
from apps.runtime.services.recording import background
from apps.runtime.services.visits import Visit


def connect() -> redis.Redis:
    """A client that fails fast."""
    # Tried once: the events of the same thread must not wait, and the next round comes in half a second.
    once = Retry(NoBackoff(), 0)
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5, retry=once)


COUNTED_UNKNOWN = "apprun.counted_unknown"
"""Where a request's environment says that ``count_unknown`` has had it: no header can get there."""

rate_limits = RateLimits(RedisCounts(connect, prefix=settings.REDIS_KEY_PREFIX))
"""The counts of this process."""

background.add(rate_limits.synchronise)


def count_visit(app_id: UUID, policy: VisitPolicy, visit: Visit | None, visitor: Visitor) -> Allowance:
    """Count one request of a visitor, and of the app; returns the answer that refuses, or the visitor's.

    A visitor is known by their visit once its cookie came back; until then, and to bound how many visits one address
    may start, by their address. What a visitor asks beyond their own limit doesn't use up the app's.
    """
    known, address = visit is not None and not visit.is_new, counted_as(visitor.address)
    if known:
        shared = rate_limits.take(f"{app_id.hex}:@{address}", policy.visitor_limit * SHARED_ADDRESS)
        if not shared.allowed:
            return shared
    own_key = visit.id.hex if visit is not None and known else address
    own = rate_limits.take(f"{app_id.hex}:{own_key}", policy.visitor_limit)
    if not own.allowed:
        return own
    everyone = rate_limits.take(f"{app_id.hex}:*", policy.app_limit)
    return own if everyone.allowed else everyone


def count_unknown(visitor: Visitor) -> Count:
    """Count one request for an address at which this process knows of no app, before anything is looked up for it.

    Refused above ``RATE_RUNTIME_UNKNOWN``: guessing addresses costs the database, and finds what isn't told.
    """
    return hit_roughly("runtime-unknown", counted_as(visitor.address), Rate.parse(settings.RATE_RUNTIME_UNKNOWN))
