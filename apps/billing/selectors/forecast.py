"""When limits will be reached, if use goes on as it does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Greatest

from apps.billing.models import Quota, UsageEvent

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a quota will come to at ``rate`` (units a day): ``projected`` units at ``projected_at``, and each limit at
    its moment: that of the forecast when it is reached already, None when it isn't before the period ends (or within
    FORECAST_HORIZON, where none does)."""

    quota: Quota
    rate: float
    projected: int
    projected_at: datetime
    soft_limit_at: datetime | None
    hard_limit_at: datetime | None


def forecasts_of(quotas: Iterable[Quota], *, now: datetime) -> list[Forecast]:
    """A forecast for each of these quotas of the entered workspace, which the caller has brought up to date.

    A counter goes on at the rate of its period so far. A level grows as it did over FORECAST_LOOKBACK, as the ledger
    tells; its first measurement is where it began, not growth. Either is taken to have needed FORECAST_SHORTEST at
    least. One query, however many there are.
    """
    rows = list(quotas)
    growth = _growth_of_levels(now) if any(quota.kind != "counter" for quota in rows) else {}
    return [_forecast(quota, growth.get(quota.dimension, 0.0), now) for quota in rows]


def _forecast(quota: Quota, growth: float, now: datetime) -> Forecast:
    rate = quota.used / _days(now - quota.period_start) if quota.kind == "counter" else growth
    end = quota.period_end or now + settings.FORECAST_AHEAD
    last = quota.period_end or now + settings.FORECAST_HORIZON
    return Forecast(
        quota=quota,
        rate=rate,
        projected=max(0, round(quota.used + rate * ((end - now) / _DAY))),
        projected_at=end,
        soft_limit_at=_reached_at(quota.soft_limit, quota.used, rate, now, last),
        hard_limit_at=_reached_at(quota.hard_limit, quota.used, rate, now, last),
    )


def _reached_at(limit: int | None, used: int, rate: float, now: datetime, last: datetime) -> datetime | None:
    if limit is None:
        return None
    if used >= limit:
        return now
    # Compared as days, for a tiny rate reaches it beyond the end of the calendar.
    if rate <= 0 or (days := (limit - used) / rate) >= (last - now) / _DAY:
        return None
    return now + days * _DAY


def _growth_of_levels(now: datetime) -> dict[str, float]:
    """Units a day by dimension."""
    since = now - settings.FORECAST_LOOKBACK
    entries = UsageEvent.objects.filter(dimension=OuterRef("dimension"))
    first: Any = Subquery(entries.order_by("occurred_at", "id").values("occurred_at")[:1])
    rows = Quota.objects.exclude(kind="counter").annotate(since=Greatest(first, since))
    later = entries.filter(occurred_at__gt=OuterRef("since")).order_by().values("dimension")
    rows = rows.annotate(growth=Subquery(later.annotate(total=Sum("amount")).values("total")))
    return {
        dimension: int(growth) / _days(now - begun)
        for dimension, begun, growth in rows.values_list("dimension", "since", "growth")
        if growth is not None
    }


def _days(span: timedelta) -> float:
    return max(span, settings.FORECAST_SHORTEST) / _DAY
