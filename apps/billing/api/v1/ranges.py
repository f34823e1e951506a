"""From when to when: the range of time that a question about use is of."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from apps.billing.models import AppUsage
from apps.billing.selectors.usage import Window
from apps.billing.services.ledger import buckets_at
from apps.common.errors import InvalidInput

_SHOWN = {"hour": "USAGE_HOURS_SHOWN", "day": "USAGE_DAYS_SHOWN"}
_LONGEST = {"hour": "USAGE_HOURS_MAX", "day": "USAGE_DAYS_MAX"}


def read_window(query: Any, *, zone: ZoneInfo, now: datetime) -> Window:
    """The buckets that ``?bucket=``, ``?from=`` and ``?to=`` ask for; the one that ``from`` lies in is whole.

    Days without an hour begin at midnight of ``zone``. Raises InvalidInput, with a pointer, for what is no bucket or
    moment, for a range that is empty or longer than USAGE_HOURS_MAX or USAGE_DAYS_MAX.
    """
    bucket = query.get("bucket") or "day"
    if bucket not in AppUsage.Bucket.values:
        raise InvalidInput.at("/bucket", "invalid_choice", "There are hour and day.")
    shown: timedelta = getattr(settings, _SHOWN[bucket])
    end = read_moment(query, "to", zone=zone)
    start = read_moment(query, "from", zone=zone)
    try:
        end = end or (now if start is None else min(now, start + shown))
        start = start or end - shown
        longest: timedelta = getattr(settings, _LONGEST[bucket])
        require_order(start, end)
        if end - start > longest:
            raise InvalidInput.at(
                "/to", "range_too_long", f"By the {bucket}, at most {longest.days} days can be shown."
            )
        hour, day = buckets_at(start, zone)
    except OverflowError:
        raise InvalidInput.at("/from", "invalid", "This moment lies outside of the calendar.") from None
    return Window(bucket, hour if bucket == "hour" else day, end)


def read_moment(query: Any, name: str, *, zone: ZoneInfo) -> datetime | None:
    """The moment (UTC) that a parameter says in ISO 8601: with an offset, or in ``zone``; None without one."""
    text = query.get(name)
    if not text:
        return None
    try:
        moment = (
            datetime.combine(date.fromisoformat(text), time.min) if len(text) <= 10 else datetime.fromisoformat(text)
        )
        return moment.replace(tzinfo=moment.tzinfo or zone).astimezone(UTC)
    except (ValueError, OverflowError):
        sentence = "Send a day, as 2026-01-31, or a moment, as 2026-01-31T08:00:00Z."
        raise InvalidInput.at(f"/{name}", "invalid", sentence) from None


def require_order(start: datetime | None, end: datetime | None) -> None:
    """Raise InvalidInput unless ``start`` comes before ``end``, where there are both."""
    if start is not None and end is not None and start >= end:
        raise InvalidInput.at("/to", "empty_range", "This must be later than from.")
