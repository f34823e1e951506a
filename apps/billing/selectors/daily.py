"""Use by day, as charts and tables show it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Sum
from django.db.models.functions import TruncDate

from apps.billing.models import AppUsage, ClosedPeriod, Quota, UsageEvent
from apps.billing.selectors.usage import Window, totals


def last_days(count: int, *, zone: ZoneInfo, now: datetime) -> Window:
    """The last ``count`` days of the zone, today included."""
    first = now.astimezone(zone).date() - timedelta(days=count - 1)
    return Window("day", datetime.combine(first, time.min, tzinfo=zone), now)


def amounts_by_day(quota: Quota, window: Window, *, zone: ZoneInfo) -> dict[date, int]:
    """For every day of the window, oldest first: what was used of a counter, or how high a level was at its end.

    One query. A level is told from what it is now, and the ledger's changes since.
    """
    days = _days(window, zone)
    if quota.kind == "counter":
        sums = totals(window, dimension=quota.dimension)
        used = {total.start.astimezone(zone).date(): total.amount for total in sums}
        return {day: used.get(day, 0) for day in days}
    changes = _changes_by_day(quota, window, zone)
    level, levels = quota.used, {}
    for day in reversed(days):
        levels[day] = max(0, level)
        level -= changes.get(day, 0)
    return {day: levels[day] for day in days}


def amounts_by_app(quota: Quota, window: Window) -> list[tuple[UUID | None, int]]:
    """What each app used of a counter in the window's days, the most first; the app None is the workspace itself."""
    rows = AppUsage.objects.filter(
        bucket=window.bucket, start__gte=window.start, start__lt=window.end, dimension=quota.dimension
    )
    sums = rows.order_by().values_list("app_id").annotate(total=Sum("amount")).order_by("-total", "app_id")
    return [(app_id, int(total)) for app_id, total in sums]


def latest_periods(dimension: str, *, limit: int) -> list[ClosedPeriod]:
    """The periods of a dimension that are over, newest first."""
    return list(ClosedPeriod.objects.filter(dimension=dimension).order_by("-started_at")[:limit])


def _days(window: Window, zone: ZoneInfo) -> list[date]:
    first, last = window.start.astimezone(zone).date(), window.end.astimezone(zone).date()
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _changes_by_day(quota: Quota, window: Window, zone: ZoneInfo) -> Mapping[date, int]:
    entries = UsageEvent.objects.filter(
        dimension=quota.dimension, occurred_at__gte=window.start, period_start=quota.period_start
    )
    days = entries.order_by().annotate(day=TruncDate("occurred_at", tzinfo=zone)).values_list("day")
    return {day: int(total) for day, total in days.annotate(total=Sum("amount"))}
