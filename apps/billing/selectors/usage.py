"""What was used, by hour and day, and the ledger that it is the sum of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, Sum
from django.db.models.functions import Coalesce

from apps.billing.errors import UsageEventNotFound
from apps.billing.models import AppUsage, ClosedPeriod, UsageEvent


@dataclass(frozen=True, slots=True)
class Window:
    """The buckets (``hour`` or ``day``) that begin from ``start`` until before ``end``."""

    bucket: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Total:
    """What all apps together used of a dimension in the bucket that begins at ``start``."""

    start: datetime
    dimension: str
    amount: int


def ledger() -> QuerySet[UsageEvent]:
    """Every entry of the entered workspace's ledger, newest first."""
    entries: QuerySet[UsageEvent] = UsageEvent.objects.defer("answer").order_by("-occurred_at", "-id")
    return entries


def find_entry(event_id: UUID) -> UsageEvent:
    """The entry, with ``corrected``: how much of it has been taken back. Raises UsageEventNotFound."""
    entry: UsageEvent | None = ledger().filter(pk=event_id).first()
    if entry is None:
        raise UsageEventNotFound
    entry.corrected = corrected_of(entry)  # type: ignore[attr-defined]
    return entry


def app_of_key(key: str) -> UUID | None:
    """The app that the use with this key was of; None when there is no such use, or it was of none."""
    found: UUID | None = UsageEvent.objects.filter(idempotency_key=key).values_list("app_id", flat=True).first()
    return found


def corrected_of(entry: UsageEvent) -> int:
    """How much of this entry has been taken back by corrections."""
    taken = UsageEvent.objects.filter(corrects=entry).aggregate(total=Coalesce(Sum("amount"), 0))
    return -int(taken["total"])


def usage_by_app(window: Window) -> QuerySet[AppUsage]:
    """The sums of each app in the window's buckets, newest first."""
    rows: QuerySet[AppUsage] = AppUsage.objects.filter(
        bucket=window.bucket, start__gte=window.start, start__lt=window.end
    ).order_by("-start", "-id")
    return rows


def totals(window: Window, *, dimension: str | None = None) -> list[Total]:
    """The sums of all apps together by bucket and dimension, oldest first; what wasn't used has none."""
    rows: QuerySet[Any] = usage_by_app(window)
    if dimension is not None:
        rows = rows.filter(dimension=dimension)
    sums = rows.order_by("start", "dimension").values_list("start", "dimension").annotate(total=Sum("amount"))
    return [Total(start, code, int(amount)) for start, code, amount in sums]


def closed_periods(window: Window, *, dimension: str | None = None) -> list[ClosedPeriod]:
    """The periods that are over and of which a part lies in the window, newest first."""
    rows = ClosedPeriod.objects.filter(started_at__lt=window.end, ended_at__gt=window.start)
    return list(rows if dimension is None else rows.filter(dimension=dimension))
