"""Quotas: made with the workspace, and brought up to date by whoever needs them.

Nothing has to run at midnight. A row says until when it is true; after that the first who wants to count by it locks
it, closes its period, ends its override or grace, and goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from apps.billing.models import ClosedPeriod, Lease, Quota, QuotaOverride, Reservation
from apps.billing.models.quota import FOREVER
from apps.billing.querysets import QuotaSeed
from apps.billing.selectors.limits import promised_limits
from apps.billing.services.ledger import write_entry
from apps.billing.services.notices import tell_grace_ended, tell_grace_started
from apps.billing.services.periods import Period, first_period, following_period
from apps.billing.services.roll_up import roll_up_quotas
from apps.billing.signals import limits_changed
from apps.billing.states import ReservationStatus
from apps.common.errors import InvalidInput
from apps.common.ids import new_id
from apps.common.metering import find_gauge
from apps.plans.selectors.dimensions import KnownDimension, find_dimension, known_dimensions
from apps.plans.selectors.limits import Limits

_RESETS = ("monthly", "daily", "never")


def open_quotas(*, workspace: Any, now: datetime) -> None:
    """Give the entered workspace a quota in every dimension that is missing one, by its plan's limits.

    One statement: it is on the way of every workspace that is made. Levels are measured when they are first asked for.
    """
    zone = ZoneInfo(workspace.time_zone)
    anchor = workspace.created_at.astimezone(zone).date()
    periods = {reset: first_period(reset=reset, anchor=anchor, zone=zone, now=now) for reset in _RESETS}
    seeds = [_seed_of(dimension, periods[dimension.reset], now) for dimension in known_dimensions().values()]
    Quota.objects.open_all(seeds, plan_code=workspace.plan_code, anchor=anchor)


def find_quota(*, workspace: Any, dimension: str, now: datetime) -> Quota:
    """The quota as it is at ``now``. Raises InvalidInput for a dimension that there isn't."""
    require_dimension(dimension)
    quota: Quota | None = Quota.objects.valid_at(now).filter(dimension=dimension).first()
    if quota is not None:
        return quota
    with transaction.atomic():
        return lock_quota(workspace=workspace, dimension=dimension, now=now)


def refresh_quotas(*, workspace: Any, now: datetime) -> list[Quota]:
    """Every quota of the entered workspace by dimension, brought up to date where it isn't."""
    rows: dict[str, Quota] = {quota.dimension: quota for quota in Quota.objects.all()}
    for code in known_dimensions():
        known = rows.get(code)
        if known is None or known.valid_until <= now:
            with transaction.atomic():
                rows[code] = lock_quota(workspace=workspace, dimension=code, now=now)
    return [rows[code] for code in sorted(rows)]


def lock_quota(*, workspace: Any, dimension: str, now: datetime) -> Quota:
    """The quota, up to date and locked until the transaction ends; made when it is missing.

    Raises InvalidInput for a dimension that there isn't.
    """
    known = require_dimension(dimension)
    quota: Quota | None = Quota.objects.select_for_update().filter(dimension=dimension).first()
    if quota is None:
        open_quotas(workspace=workspace, now=now)
        quota = Quota.objects.select_for_update().get(dimension=dimension)
    if quota.valid_until <= now:
        _bring_up_to_date(quota, known, workspace, now)
    return quota


def reconsider_limits(*, workspace: Any, dimensions: Iterable[str], now: datetime) -> None:
    """Have the limits of these dimensions taken anew from plan and override; where they are below what is used, a grace
    begins. To be called in the transaction that changed them. Operators see the quotas so at once."""
    quotas = [lock_quota(workspace=workspace, dimension=dimension, now=now) for dimension in sorted(dimensions)]
    # Behind the locks: who changed the limits meanwhile has committed.
    promised = promised_limits(plan_code=workspace.plan_code, now=now)
    for quota in quotas:
        _apply_limits(quota, workspace, promised, now)
        quota.save()
    roll_up_quotas(quotas, workspace=workspace, now=now)


def require_dimension(code: str) -> KnownDimension:
    """The dimension. Raises InvalidInput, with those that there are, for another code."""
    dimension = find_dimension(code)
    if dimension is None:
        choices = ", ".join(sorted(known_dimensions()))
        raise InvalidInput.at("/dimension", "unknown_dimension", f"There is no such dimension. There are: {choices}.")
    return dimension


def give_back_expired(quota: Quota, *, now: datetime) -> int:
    """Give back what reservations and leases of a locked quota hold whose time is over; returns how many units."""
    reservations = Reservation.objects.select_for_update().expired_at(now).filter(dimension=quota.dimension)
    given_back = 0
    for reservation in reservations:
        reservation.move_to(ReservationStatus.EXPIRED, ended_at=now)
        given_back += reservation.amount
    leases = Lease.objects.select_for_update().expired_at(now).filter(dimension=quota.dimension)
    for lease in leases:
        given_back += lease.units
        lease.delete()
    if given_back:
        quota.reserved = max(0, quota.reserved - given_back)
        save_use(quota, now=now)
    return given_back


def measure_level(quota: Quota, workspace: Any) -> int:
    """What exists of the quota's dimension in the entered workspace, counted now; where nobody counts, what it has."""
    gauge = find_gauge(quota.dimension)
    return quota.used if gauge is None else gauge.measure(workspace.id)


def save_use(quota: Quota, *, now: datetime) -> None:
    """Save what is used and reserved of a locked quota, and note since when that is above its hard limit."""
    _note_excess(quota, now)
    quota.save(update_fields=["used", "reserved", "overage", "over_since", "alerted", "measured_at"])


def _seed_of(dimension: KnownDimension, period: Period, now: datetime) -> QuotaSeed:
    # A level is true only once it was measured.
    valid_until = period.end or FOREVER if dimension.kind == "counter" else now
    return QuotaSeed(new_id(), dimension.code, dimension.kind, dimension.reset, period.start, period.end, valid_until)


def _bring_up_to_date(quota: Quota, dimension: KnownDimension, workspace: Any, now: datetime) -> None:
    if quota.period_end is not None and quota.period_end <= now:
        _roll_over(quota, workspace, now)
    if quota.kind != "counter" and quota.measured_at is None:
        _measure(quota, workspace, now)
    _apply_limits(quota, workspace, promised_limits(plan_code=workspace.plan_code, now=now), now)
    QuotaOverride.objects.filter(dimension=quota.dimension, ends_at__lte=now).delete()
    quota.save()


def _roll_over(quota: Quota, workspace: Any, now: datetime) -> None:
    """Close the period, which has ended, and open the one that ``now`` lies in.

    What is reserved goes over to it: a reservation counts in the period in which it is committed.
    """
    assert quota.period_end is not None
    ClosedPeriod.objects.bulk_create(
        [
            ClosedPeriod(
                dimension=quota.dimension,
                started_at=quota.period_start,
                ended_at=quota.period_end,
                used=quota.used,
                overage=quota.overage,
                soft_limit=quota.soft_limit,
                hard_limit=quota.hard_limit,
            )
        ],
        ignore_conflicts=True,
    )
    period = following_period(
        Period(quota.period_start, quota.period_end),
        reset=quota.reset,
        anchor=quota.anchor,
        zone=ZoneInfo(workspace.time_zone),
        now=now,
    )
    quota.period_start, quota.period_end = period.start, period.end
    quota.used = quota.overage = quota.alerted = 0


def _measure(quota: Quota, workspace: Any, now: datetime) -> None:
    level = measure_level(quota, workspace)
    if level != quota.used:
        write_entry(quota, amount=level - quota.used, workspace=workspace, source="measured", now=now)
    quota.used, quota.measured_at = level, now


def _apply_limits(
    quota: Quota, workspace: Any, promised: dict[str, tuple[Limits, datetime | None]], now: datetime
) -> None:
    limits, until = promised.get(quota.dimension, (Limits(), None))
    fits = limits.hard is None or limits.overage or quota.used + quota.reserved <= limits.hard
    lowered = not fits and _is_larger(quota, limits)
    in_grace = quota.grace_until is not None and now < quota.grace_until
    before = quota.enforced_limit
    if lowered and quota.grace_until is None:
        quota.grace_until, quota.limit_source = now + settings.QUOTA_GRACE, Quota.Source.GRACE
        tell_grace_started(quota, workspace=workspace, limit=limits.hard, now=now)
    elif not (lowered and in_grace):
        if quota.grace_until is not None:
            tell_grace_ended(quota, workspace=workspace, limit=limits.hard, over=not fits, now=now)
        quota.soft_limit, quota.hard_limit, quota.overage_allowed = limits.soft, limits.hard, limits.overage
        quota.limit_source = Quota.Source.PLAN if until is None else Quota.Source.OVERRIDE
        quota.grace_until = None
    changes = (quota.period_end, until, quota.grace_until)
    quota.valid_until = min((moment for moment in changes if moment is not None), default=FOREVER)
    _note_excess(quota, now)
    if quota.enforced_limit != before:
        limits_changed.send(sender=Quota, workspace=workspace, dimension=quota.dimension, now=now)


def _is_larger(quota: Quota, limits: Limits) -> bool:
    """Whether what holds now allows more than ``limits``, which has a hard limit."""
    assert limits.hard is not None
    return quota.hard_limit is None or quota.overage_allowed or quota.hard_limit > limits.hard


def _note_excess(quota: Quota, now: datetime) -> None:
    allowed = quota.hard_limit is None or quota.overage_allowed or quota.used + quota.reserved <= quota.hard_limit
    quota.over_since = None if allowed else quota.over_since or now
