"""Taking back use that was reported by mistake: by an entry of its own, for the ledger is never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.audit.services.recording import Target, record_act_in
from apps.billing.errors import MeteredByPlatform, NotCorrectable, UsageKeyReused
from apps.billing.models import AppUsage, Quota, UsageEvent
from apps.billing.selectors.usage import corrected_of, find_entry
from apps.billing.services.consumption import KEY_CONSTRAINT, require_amount
from apps.billing.services.ledger import REPORTED, answer_of, fingerprint_of, new_entry
from apps.billing.services.quotas import lock_quota, require_dimension, save_use
from apps.common.actors import Actor, ActorKind
from apps.common.constraints import violated_constraint

SOURCE = "correction"
_MAY_CORRECT_ALL = frozenset({ActorKind.OPERATOR, ActorKind.SYSTEM})


def correct_use(
    *, workspace: Any, event_id: UUID, amount: int, key: str, note: str, actor: Actor, now: datetime
) -> UsageEvent:
    """Take back ``amount`` units of an entry of a counter in the entered workspace; returns the entry that does.

    It counts in the present period, whichever the corrected one was of: a period that is over stays as it was told, so
    of one that is over no more can be taken back than is used now. Use above the limit is taken back first. Where an
    app's use by hour and day is shown, it is taken from the hour and the day in which it was counted.

    Members correct what was reported over the API; what the platform metered itself, only operators do. The same
    ``key`` corrects once, for ever. Raises UsageEventNotFound, InvalidInput, UsageKeyReused, NotCorrectable (a level, a
    correction, more than is left of the entry, or than is used), MeteredByPlatform; then nothing is changed.
    """
    entry = find_entry(event_id)
    known = require_dimension(entry.dimension)
    require_amount(amount, known, None)
    if known.kind != "counter":
        raise NotCorrectable("This is a level, which is measured anew; only what is counted can be corrected.")
    if entry.amount < 0:
        raise NotCorrectable("This took something back itself. Report the use anew instead.")
    if entry.source != REPORTED and actor.kind not in _MAY_CORRECT_ALL:
        raise MeteredByPlatform
    fingerprint = fingerprint_of(corrects=event_id, amount=amount, note=note)
    with transaction.atomic():
        quota = lock_quota(workspace=workspace, dimension=entry.dimension, now=now)
        first: UsageEvent | None = UsageEvent.objects.filter(idempotency_key=key).first()
        if first is not None:
            if first.fingerprint != fingerprint:
                raise UsageKeyReused
            return first
        _require_enough(entry, quota, amount)
        correction = _write(entry, quota, amount, key, fingerprint, note, actor, now)
        AppUsage.objects.take_back(
            amount, dimension=entry.dimension, app_id=entry.app_id, occurred_at=entry.occurred_at
        )
        record_act_in(
            workspace,
            actor=actor,
            action="usage.correct",
            target=Target(kind="usage_event", id=str(entry.pk), name=entry.dimension),
            changes={"used": [quota.used + amount, quota.used], "correction": [None, str(correction.pk)]},
            now=now,
        )
    return correction


def _require_enough(entry: UsageEvent, quota: Quota, amount: int) -> None:
    left = entry.amount - corrected_of(entry)
    if amount > left:
        raise NotCorrectable(f"Of this use {left:,} are left to be taken back.", left=left)
    if amount > quota.used:
        raise NotCorrectable(
            f"In the present period {quota.used:,} are used, and a correction counts there: no more can be taken back.",
            left=quota.used,
        )


def _write(
    entry: UsageEvent, quota: Quota, amount: int, key: str, fingerprint: str, note: str, actor: Actor, now: datetime
) -> UsageEvent:
    over = min(amount, quota.overage)
    quota.used -= amount
    quota.overage -= over
    save_use(quota, now=now)
    correction = new_entry(
        quota,
        amount=-amount,
        overage=-over,
        app_id=entry.app_id,
        source=SOURCE,
        note=note,
        actor=f"{actor.kind}:{actor.id}",
        corrects=entry,
        idempotency_key=key,
        fingerprint=fingerprint,
        now=now,
    )
    correction.answer = answer_of(quota, entry_id=correction.pk, amount=-amount, overage=-over)
    try:
        with transaction.atomic():
            correction.save(force_insert=True)
    except IntegrityError as error:
        if violated_constraint(error) == KEY_CONSTRAINT:
            # Used for another dimension at this moment; those of this one wait for its lock.
            raise UsageKeyReused from None
        raise
    return correction
