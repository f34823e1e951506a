"""When a period begins and ends: counted from a day, at midnight of the workspace's time zone."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

#: A boundary is at least this far from the one before it. Usually that says nothing; after a change of time zone it
#: makes the one period that is not of the usual length the longer of two, never a few hours.
_SHORTEST = {"monthly": timedelta(days=15), "daily": timedelta(hours=12)}


@dataclass(frozen=True, slots=True)
class Period:
    """From ``start`` until just before ``end`` (UTC); ``end`` is None for what never resets."""

    start: datetime
    end: datetime | None

    def holds(self, moment: datetime) -> bool:
        return self.start <= moment and (self.end is None or moment < self.end)


def first_period(*, reset: str, anchor: date, zone: ZoneInfo, now: datetime) -> Period:
    """The period that ``now`` lies in, for a quota that has had none. Periods are anchored: monthly ones begin on the
    anchor's day of the month, or on the month's last one where it is shorter.
    """
    if reset == "never":
        return Period(_midnight(anchor, zone), None)
    today = now.astimezone(zone).date()
    start = today if reset == "daily" else _monthly_on_or_before(today, anchor)
    return Period(_midnight(start, zone), _boundary_after(_midnight(start, zone), reset, anchor, zone))


def following_period(period: Period, *, reset: str, anchor: date, zone: ZoneInfo, now: datetime) -> Period:
    """The period that ``now`` lies in, without a gap or an overlap after ``period``, which is over.

    Raises ValueError for a period that has no end.
    """
    if period.end is None:
        raise ValueError("A period that never ends has no following one")
    end = _boundary_after(period.end, reset, anchor, zone)
    if now < end:
        return Period(period.end, end)
    return first_period(reset=reset, anchor=anchor, zone=zone, now=now)


def _boundary_after(start: datetime, reset: str, anchor: date, zone: ZoneInfo) -> datetime:
    earliest = start + _SHORTEST[reset]
    day = earliest.astimezone(zone).date()
    if reset == "daily":
        candidates = (_midnight(day + timedelta(days=step), zone) for step in range(3))
    else:
        base = (day.year - anchor.year) * 12 + day.month - anchor.month
        candidates = (_midnight(_months_later(anchor, base + step), zone) for step in range(3))
    return next(boundary for boundary in candidates if boundary >= earliest)


def _monthly_on_or_before(day: date, anchor: date) -> date:
    months = (day.year - anchor.year) * 12 + day.month - anchor.month
    boundary = _months_later(anchor, months)
    return boundary if boundary <= day else _months_later(anchor, months - 1)


def _months_later(anchor: date, months: int) -> date:
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    return date(year, month + 1, min(anchor.day, calendar.monthrange(year, month + 1)[1]))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The beginning of the day there; where clocks skip midnight, the moment at which they do (PEP 495, fold=0)."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
