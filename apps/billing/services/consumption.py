"""Counting use: exactly once, and never above a hard limit."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from apps.billing.errors import UsageKeyReused, quota_exceeded
from apps.billing.models import Quota, UsageEvent
from apps.billing.querysets import Counted, Use
from apps.billing.services.ledger import fingerprint_of, new_use
from apps.billing.services.notices import tell_threshold
from apps.billing.services.quotas import give_back_expired, lock_quota, require_dimension
from apps.common.constraints import undone_when_refused, violated_constraint
from apps.common.errors import InvalidInput
from apps.plans.selectors.dimensions import KnownDimension

#: What a key that came before violates.
KEY_CONSTRAINT = "a_key_counts_once"
#: Levels are bytes, too: more than anybody stores, and sums of them fit the column.
_LEVEL_MAX = 2**60


def consume(
    *,
    workspace: Any,
    dimension: str,
    amount: int,
    key: str,
    source: str,
    actor: str,
    now: datetime,
    unit: str | None = None,
    app_id: UUID | None = None,
    note: str = "",
) -> dict[str, Any]:
    """Count ``amount`` of a counter in the entered workspace; returns the quota as it is with it.

    The same ``key`` counts once, for ever: a replay gets the first answer, even when the quota is spent since. Raises
    InvalidInput (no such counter, an amount or unit that can't be), UsageKeyReused, QuotaExceeded; then nothing counts.
    """
    known = require_counter(dimension, amount=amount, unit=unit)
    use = new_use(
        workspace=workspace,
        dimension=dimension,
        amount=amount,
        source=source,
        occurred_at=now,
        app_id=app_id,
        idempotency_key=key,
        fingerprint=fingerprint_of(dimension=dimension, amount=amount, app=app_id, note=note),
        note=note,
        actor=actor[:150],
    )
    try:
        with undone_when_refused():
            counted: Counted | None = Quota.objects.count_use(use, now=now)
    except IntegrityError as error:
        if violated_constraint(error) != KEY_CONSTRAINT:
            raise
        return _first_answer(use)
    if counted is None:
        return _count_late(use, known, workspace, now)
    tell_threshold(counted, workspace=workspace, dimension=use.dimension, now=now)
    return counted.answer


def require_counter(dimension: str, *, amount: int, unit: str | None) -> KnownDimension:
    """The dimension, when ``amount`` of it can be used or reserved. Raises InvalidInput."""
    known = require_dimension(dimension)
    if known.kind != "counter":
        raise InvalidInput.at(
            "/dimension", "not_a_counter", f"{known.name} is measured by the platform; it can't be reported."
        )
    require_amount(amount, known, unit)
    return known


def require_amount(amount: Any, dimension: KnownDimension, unit: str | None) -> None:
    """Raise InvalidInput unless this is a whole amount of one at least, in the dimension's unit; what is reported, and
    not measured, is USAGE_AMOUNT_MAX at most."""
    if unit is not None and unit != dimension.unit:
        raise InvalidInput.at("/unit", "wrong_unit", f"{dimension.name} is counted in {dimension.unit}.")
    most = settings.USAGE_AMOUNT_MAX if dimension.kind == "counter" else _LEVEL_MAX
    if isinstance(amount, bool) or not isinstance(amount, int) or not 0 < amount <= most:
        raise InvalidInput.at("/amount", "invalid_amount", f"Send a whole number between 1 and {most:,}.")


def _count_late(use: Use, known: KnownDimension, workspace: Any, now: datetime) -> dict[str, Any]:
    """Count a use that the quick way couldn't: its quota was out of date, or there was no room. Under the quota's lock
    whatever has expired is given back first, so the last unit can be used."""
    with transaction.atomic():
        quota = lock_quota(workspace=workspace, dimension=use.dimension, now=now)
        if UsageEvent.objects.filter(idempotency_key=use.idempotency_key).exists():
            return _first_answer(use)
        room = quota.room
        if room is not None and room < use.amount:
            give_back_expired(quota, now=now)
        # By the quota's own clock: one that was read before another's period began counts in that one.
        counted: Counted | None = Quota.objects.count_use(use, now=max(now, quota.period_start))
    if counted is None:
        raise quota_exceeded(quota, name=known.name, unit=known.unit, asked=use.amount)
    tell_threshold(counted, workspace=workspace, dimension=use.dimension, now=now)
    return counted.answer


def _first_answer(use: Use) -> dict[str, Any]:
    first = UsageEvent.objects.get(idempotency_key=use.idempotency_key)
    if first.fingerprint != use.fingerprint:
        raise UsageKeyReused
    answer: dict[str, Any] = first.answer
    return answer
