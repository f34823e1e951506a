"""A quota as its page shows it: a bar, and in words what numbers don't say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apps.billing.models import Quota
from apps.billing.selectors.forecast import Forecast
from apps.billing.selectors.quotas import Standing
from apps.common.amounts import describe_amount, scale_of

#: A bar's length, in its own units; its parts and marks are told in them.
BAR = 1000
_HIGH_PERCENT = 80


@dataclass(frozen=True, slots=True)
class Bar:
    """Lengths and places along a bar of ``BAR`` units: what is used and reserved, and where the limits lie."""

    used: int
    reserved: int
    soft_at: int | None
    hard_at: int | None


@dataclass(frozen=True, slots=True)
class ShownQuota:
    """A dimension's card. ``tone`` is ``calm``, ``high`` or ``over``; ``notes`` are sentences, urgent ones first."""

    code: str
    name: str
    headline: str
    percent: str
    tone: str
    bar: Bar | None
    bar_text: str
    notes: list[str]


def show_quota(standing: Standing, forecast: Forecast, *, zone: ZoneInfo, now: datetime) -> ShownQuota:
    """How the quota stands at ``now``, with days of ``zone``."""
    quota, unit = standing.quota, standing.dimension.unit
    used = describe_amount(quota.used, unit)
    ceiling = quota.ceiling
    percent = "" if standing.percent is None else f"{standing.percent:g} %"
    return ShownQuota(
        code=quota.dimension,
        name=standing.dimension.name,
        headline=used if quota.hard_limit is None else f"{used} of {describe_amount(quota.hard_limit, unit)}",
        percent=percent,
        tone=_tone(standing),
        bar=_bar(quota) if ceiling is not None else None,
        bar_text=f"{standing.dimension.name}: {percent or used} used",
        notes=[*_limits(standing, zone), *_course(quota, forecast, unit, zone, now)],
    )


def chart_of(amounts: dict[date, int], *, name: str, unit: str, level: bool) -> dict[str, Any]:
    """The data of a Chart.js chart (with what Unfold adds to it), in the largest unit that the amounts fill."""
    shown, size = scale_of(unit, max(amounts.values(), default=0))
    return {
        "labels": [f"{day.day} {day:%b}" for day in amounts],
        "datasets": [
            {
                "label": f"{name}, {shown}" if shown else name,
                "data": [round(amount / size, 2) if size > 1 else amount for amount in amounts.values()],
                "backgroundColor": "var(--color-primary-600)",
                "borderColor": "var(--color-primary-600)",
                "displayYAxis": True,
                "suffixYAxis": shown,
                "maxTicksXLimit": 8,
                "maxBarThickness": 14,
                **({"stepped": True} if level else {}),
            }
        ],
    }


def _tone(standing: Standing) -> str:
    if standing.quota.over_since is not None or standing.quota.overage or standing.quota.room == 0:
        return "over"
    return "high" if standing.over_soft_limit or (standing.percent or 0) >= _HIGH_PERCENT else "calm"


def _bar(quota: Quota) -> Bar:
    in_use = quota.used + quota.reserved
    length = max(quota.hard_limit or 0, quota.soft_limit or 0, in_use, 1)

    def at(amount: int | None) -> int | None:
        return None if amount is None else amount * BAR // length

    used = at(quota.used) or 0
    reserved = (at(in_use) or 0) - used
    soft = quota.soft_limit if quota.soft_limit != quota.hard_limit else None
    return Bar(used, reserved, soft_at=at(soft), hard_at=at(quota.hard_limit))


def _limits(standing: Standing, zone: ZoneInfo) -> list[str]:
    quota, unit = standing.quota, standing.dimension.unit
    notes = []
    if quota.over_since is not None:
        since = tell_day(quota.over_since, zone)
        notes.append(f"Over its limit since {since}: nothing more is given. Reading and deleting go on.")
    elif quota.room == 0:
        notes.append("Nothing is left: more is refused. Reading and deleting go on.")
    if quota.overage:
        notes.append(f"{describe_amount(quota.overage, unit)} above the limit are counted as overage.")
    if quota.grace_until is not None:
        notes.append(f"The limits from before a change hold until {tell_day(quota.grace_until, zone)}.")
    elif standing.override is not None:
        last = tell_day(standing.override.ends_at - timedelta(microseconds=1), zone)
        notes.append(f"Limits of its own through {last}: {standing.override.reason}")
    if quota.hard_limit is None:
        notes.append("Unlimited.")
    elif quota.overage_allowed and not quota.overage:
        notes.append("Use may go on above the limit, as overage.")
    if quota.reserved:
        notes.append(f"{describe_amount(quota.reserved, unit)} more are reserved.")
    if quota.soft_limit is not None:
        soft = describe_amount(quota.soft_limit, unit)
        notes.append(f"Above the soft limit of {soft}." if standing.over_soft_limit else f"Soft limit: {soft}.")
    return notes


def _course(quota: Quota, forecast: Forecast, unit: str, zone: ZoneInfo, now: datetime) -> list[str]:
    notes = []
    if told := _forecast(quota, forecast, unit, zone, now):
        notes.append(told)
    if quota.period_end is not None:
        notes.append(f"Starts anew on {tell_day(quota.period_end, zone)}.")
    return notes


def _forecast(quota: Quota, forecast: Forecast, unit: str, zone: ZoneInfo, now: datetime) -> str:
    """What use comes to if it goes on; nothing where nothing moves, or the limit is reached already."""
    reached = forecast.hard_limit_at or None
    if round(forecast.rate, 3) == 0 or (reached is not None and reached <= now):
        return ""
    if reached is not None:
        return f"At this pace the limit is reached on {tell_day(reached, zone)}."
    by = tell_day(forecast.projected_at, zone)
    return f"At this pace it comes to {describe_amount(forecast.projected, unit)} by {by}."


def tell_day(moment: datetime, zone: ZoneInfo) -> str:
    """The day that the moment lies in: ``3 May 2026``."""
    day = moment.astimezone(zone)
    return f"{day.day} {day:%B %Y}"
