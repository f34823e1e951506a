"""Entries of the ledger: only ever added."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from apps.billing.models import AppUsage, Quota, UsageEvent
from apps.billing.querysets import Use
from apps.common.canonical_json import digest

#: The source of what was reported over the API; other sources are parts of the platform that meter by themselves.
REPORTED = "api"


def new_use(*, workspace: Any, dimension: str, amount: int, source: str, occurred_at: datetime, **details: Any) -> Use:
    """A use with the buckets that it falls in: the hour (UTC), and the day of the workspace's time zone.

    ``details`` are the other fields of Use.
    """
    hour, day = buckets_at(occurred_at, ZoneInfo(workspace.time_zone))
    details.setdefault("app_id", None)
    return Use(
        dimension=dimension, amount=amount, source=source, occurred_at=occurred_at, hour=hour, day=day, **details
    )


def buckets_at(moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The beginnings (UTC) of the hour and of the zone's day that ``moment`` lies in."""
    hour = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    day = datetime.combine(moment.astimezone(zone).date(), time.min, tzinfo=zone).astimezone(UTC)
    return hour, day


def write_entry(quota: Quota, *, amount: int, workspace: Any, source: str, now: datetime, **details: Any) -> UsageEvent:
    """Add an entry to the present period of a locked quota, and to the hour and day of its app when it is of a counter.
    The quota's ``used`` is the caller's to change, by the same amount. ``details`` are those of ``new_entry``."""
    event = new_entry(quota, amount=amount, source=source, now=now, **details)
    event.save(force_insert=True)
    if quota.kind == "counter":
        use = new_use(
            workspace=workspace,
            dimension=quota.dimension,
            amount=amount,
            source=source,
            occurred_at=now,
            app_id=event.app_id,
        )
        AppUsage.objects.add([use])
    return event


def new_entry(
    quota: Quota,
    *,
    amount: int,
    source: str,
    now: datetime,
    overage: int = 0,
    app_id: UUID | None = None,
    note: str = "",
    actor: str = "",
    corrects: UsageEvent | None = None,
    idempotency_key: str | None = None,
    fingerprint: str = "",
) -> UsageEvent:
    """An entry in the present period of a locked quota, not saved yet."""
    return UsageEvent(
        dimension=quota.dimension,
        amount=amount,
        overage=overage,
        app_id=app_id,
        source=source,
        occurred_at=now,
        period_start=quota.period_start,
        note=note,
        actor=actor[:150],
        corrects=corrects,
        idempotency_key=idempotency_key,
        fingerprint=fingerprint,
    )


def fingerprint_of(**request: Any) -> str:
    """What tells a replay from another request under the same key: SHA-256 of its canonical JSON."""
    plain = {name: str(value) if isinstance(value, UUID | datetime) else value for name, value in request.items()}
    return digest(plain)


def overage_of(quota: Quota, amount: int) -> int:
    """The part of ``amount`` that lies above the hard limit when it is used now (zero or more)."""
    if quota.hard_limit is None:
        return 0
    return max(0, min(amount, quota.used + amount - quota.hard_limit))


def answer_of(quota: Quota, *, entry_id: UUID, amount: int, overage: int = 0) -> dict[str, Any]:
    """What whoever used ``amount`` is told now and at every replay: the quota as it was then (see ``count_use``)."""
    return {
        "id": str(entry_id),
        "dimension": quota.dimension,
        "amount": amount,
        "overage": overage,
        "used": quota.used,
        "reserved": quota.reserved,
        "soft_limit": quota.soft_limit,
        "hard_limit": quota.hard_limit,
        "overage_allowed": quota.overage_allowed,
        "over_soft_limit": quota.soft_limit is not None and quota.used > quota.soft_limit,
        "period_start": _as_text(quota.period_start),
        "resets_at": _as_text(quota.period_end),
    }


def _as_text(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
