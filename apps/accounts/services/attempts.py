"""How often somebody may try to sign in or to register.

The count is in the shared cache. While that is down it is in the database: guessing passwords doesn't get cheaper when
Redis fails (elsewhere a dead cache lets callers through).
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.cache import caches
from django.db import transaction

from apps.accounts.errors import TooManyAttempts
from apps.accounts.models import AttemptWindow

log = structlog.get_logger(__name__)


def count_sign_in(*, email: str, address: str, now: datetime) -> None:
    """Count one attempt for this account from this address. Raises TooManyAttempts above ``RATE_SIGN_IN``."""
    _count(f"sign-in|{email.strip().lower()}|{address}", settings.RATE_SIGN_IN, now)


def count_code(*, user_id: object, now: datetime) -> None:
    """Count one try of a second factor, from wherever it comes. Raises TooManyAttempts above ``RATE_SIGN_IN``."""
    _count(f"code|{user_id}", settings.RATE_SIGN_IN, now)


def count_mail_request(*, address: str, now: datetime) -> None:
    """Count one request for mail from this address. Raises TooManyAttempts above ``RATE_SIGN_IN``."""
    _count(f"mail|{address}", settings.RATE_SIGN_IN, now)


def count_registration(*, address: str, now: datetime) -> None:
    """Count one registration from this address. Raises TooManyAttempts above ``RATE_REGISTRATION``."""
    _count(f"registration|{address}", settings.RATE_REGISTRATION, now)


def parse_rate(rate: str) -> tuple[int, int]:
    """``"10/60"`` is ten times in sixty seconds."""
    count, _, seconds = rate.partition("/")
    return int(count), int(seconds)


def _count(subject: str, rate: str, now: datetime) -> None:
    limit, seconds = parse_rate(rate)
    key = hashlib.sha256(f"{subject}|{rate}".encode()).hexdigest()
    try:
        count, started = _count_in_cache(key, seconds, now)
    except Exception as error:  # noqa: BLE001
        # Whatever the cache's client raises; the database takes over.
        log.warning("attempts_cache_failed", error=str(error))
        count, started = _count_in_database(key, seconds, now)
    if count > limit:
        raise TooManyAttempts(retry_after=max(1.0, (started + timedelta(seconds=seconds) - now).total_seconds()))


def _count_in_cache(key: str, seconds: int, now: datetime) -> tuple[int, datetime]:
    cache = caches["global"]
    count_key, start_key = f"attempts:{key}:count", f"attempts:{key}:start"
    if cache.add(start_key, now, timeout=seconds):
        cache.set(count_key, 0, timeout=seconds)
    started = cache.get(start_key, now)
    try:
        count = cache.incr(count_key)
    except ValueError:  # it ran out just now
        cache.add(count_key, 0, timeout=seconds)
        count = cache.incr(count_key)
    return count, started


def _count_in_database(key: str, seconds: int, now: datetime) -> tuple[int, datetime]:
    with transaction.atomic():
        AttemptWindow.objects.bulk_create([AttemptWindow(key=key, started_at=now)], ignore_conflicts=True)
        window = AttemptWindow.objects.select_for_update().get(key=key)
        if window.started_at <= now - timedelta(seconds=seconds):
            window.started_at, window.count = now, 0
        window.count += 1
        window.save()
        return window.count, window.started_at
