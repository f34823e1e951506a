"""Setting an amount aside before it is used, so that work which was begun can be paid for when it ends."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.billing.errors import (
    ReservationEnded,
    ReservationExpired,
    ReservationNotFound,
    ReservationOfPlatform,
    UsageKeyReused,
    quota_exceeded,
)
from apps.billing.models import Quota, Reservation
from apps.billing.services.consumption import require_amount
from apps.billing.services.ledger import answer_of, fingerprint_of, overage_of, write_entry
from apps.billing.services.notices import tell_threshold
from apps.billing.services.quotas import give_back_expired, lock_quota, require_dimension, save_use
from apps.billing.states import ReservationStatus
from apps.common.errors import InvalidInput
from apps.common.ids import new_id
from apps.plans.selectors.dimensions import KnownDimension
from apps.workspaces.services.due_work import DueItem, cancel_work, schedule_work

DUE_KIND = "billing.reservation"


def reserve(
    *,
    workspace: Any,
    dimension: str,
    amount: int,
    key: str,
    source: str,
    actor: str,
    now: datetime,
    lifetime: timedelta | None,
    unit: str | None = None,
    app_id: UUID | None = None,
    note: str = "",
) -> Reservation:
    """Hold ``amount`` of a dimension of the entered workspace for ``lifetime``, or with None until it is ended.

    The same ``key`` reserves once, for ever: a replay gets the same reservation, as it is now, whose ``answer`` is what
    was first told. Raises InvalidInput, UsageKeyReused, QuotaExceeded; then nothing is held.
    """
    known = require_dimension(dimension)
    require_amount(amount, known, unit)
    fingerprint = fingerprint_of(dimension=dimension, amount=amount, app=app_id, note=note)
    with transaction.atomic():
        quota = lock_quota(workspace=workspace, dimension=dimension, now=now)
        # After the lock: two with the same key meet here one after the other.
        first: Reservation | None = Reservation.objects.filter(idempotency_key=key).first()
        if first is not None:
            if first.fingerprint != fingerprint:
                raise UsageKeyReused
            return first
        _require_room(quota, known, amount, now)
        quota.reserved += amount
        save_use(quota, now=now)
        reservation_id = new_id()
        reservation = Reservation(
            id=reservation_id,
            dimension=dimension,
            amount=amount,
            app_id=app_id,
            source=source,
            note=note,
            actor=actor[:150],
            created_at=now,
            expires_at=None if lifetime is None else now + lifetime,
            idempotency_key=key,
            fingerprint=fingerprint,
            answer=answer_of(quota, entry_id=reservation_id, amount=amount),
        )
        reservation.save(force_insert=True)
        if reservation.expires_at is not None:
            schedule_work(
                workspace_id=workspace.id, kind=DUE_KIND, due_at=reservation.expires_at, target=str(reservation.pk)
            )
    return reservation


def commit_reservation(
    *, workspace: Any, reservation_id: UUID, amount: int | None, now: datetime, source: str | None = None
) -> Reservation:
    """Count what was really used (None: all that was reserved) and give the rest back.

    More than was reserved is counted when there is room for the difference. Repeating it with the same amount changes
    nothing. With a ``source``, it must be that one's. Raises ReservationNotFound, ReservationOfPlatform,
    ReservationEnded, ReservationExpired, InvalidInput, QuotaExceeded; then it is still held.
    """
    with transaction.atomic():
        reservation, quota = _lock(workspace, reservation_id, now, source)
        actual = reservation.amount if amount is None else amount
        if reservation.status == ReservationStatus.COMMITTED and reservation.committed_amount == actual:
            return reservation
        _require_held(reservation, now)
        known = require_dimension(reservation.dimension)
        if known.kind != "counter":
            raise InvalidInput.at("/dimension", "not_a_counter", f"{known.name} is measured; release it instead.")
        if actual:
            require_amount(actual, known, None)
        if actual > reservation.amount:
            _require_room(quota, known, actual - reservation.amount, now)
        reservation.move_to(ReservationStatus.COMMITTED, committed_amount=actual, ended_at=now)
        quota.reserved -= reservation.amount
        if actual:
            _count(quota, reservation, actual, workspace, now)
        save_use(quota, now=now)
        _forget_due(workspace, reservation)
        tell_threshold(quota, workspace=workspace, dimension=quota.dimension, now=now)
    return reservation


def release_reservation(
    *, workspace: Any, reservation_id: UUID, now: datetime, source: str | None = None
) -> Reservation:
    """Give all of it back. Repeating it changes nothing; so does releasing what has expired.

    With a ``source``, it must be that one's. Raises ReservationNotFound, ReservationOfPlatform, ReservationEnded (it
    was committed).
    """
    with transaction.atomic():
        reservation, quota = _lock(workspace, reservation_id, now, source)
        if reservation.status in (ReservationStatus.RELEASED, ReservationStatus.EXPIRED):
            return reservation
        if reservation.status == ReservationStatus.COMMITTED:
            raise ReservationEnded("This reservation was committed; what was used can only be corrected.")
        reservation.move_to(ReservationStatus.RELEASED, ended_at=now)
        quota.reserved -= reservation.amount
        save_use(quota, now=now)
        _forget_due(workspace, reservation)
    return reservation


def find_by_key(key: str) -> Reservation | None:
    """The reservation of the entered workspace that was made under this key."""
    found: Reservation | None = Reservation.objects.filter(idempotency_key=key).first()
    return found


def expire_reservation(item: DueItem) -> None:
    """Handle what is due: the reservation's time is over, unless it was ended meanwhile."""
    with transaction.atomic():
        found = Reservation.objects.filter(pk=item.target).first()
        if found is None:
            return
        quota = lock_quota(workspace=item.workspace, dimension=found.dimension, now=item.now)
        give_back_expired(quota, now=item.now)


def _lock(workspace: Any, reservation_id: UUID, now: datetime, source: str | None) -> tuple[Reservation, Quota]:
    """The reservation and its quota, locked: the quota first, as everybody does, so that nobody waits in a circle."""
    found = Reservation.objects.filter(pk=reservation_id).first()
    if found is None:
        raise ReservationNotFound
    if source is not None and found.source != source:
        raise ReservationOfPlatform
    quota = lock_quota(workspace=workspace, dimension=found.dimension, now=now)
    return Reservation.objects.select_for_update().get(pk=reservation_id), quota


def _require_held(reservation: Reservation, now: datetime) -> None:
    if reservation.status == ReservationStatus.EXPIRED:
        raise ReservationExpired
    if reservation.status != ReservationStatus.HELD:
        raise ReservationEnded(f"This reservation is {reservation.status} already.")
    if reservation.expires_at is not None and reservation.expires_at <= now:
        raise ReservationExpired


def _require_room(quota: Quota, known: KnownDimension, amount: int, now: datetime) -> None:
    if quota.room is not None and quota.room < amount:
        give_back_expired(quota, now=now)
    if quota.room is not None and quota.room < amount:
        raise quota_exceeded(quota, name=known.name, unit=known.unit, asked=amount)


def _count(quota: Quota, reservation: Reservation, amount: int, workspace: Any, now: datetime) -> None:
    over = overage_of(quota, amount)
    write_entry(
        quota,
        amount=amount,
        overage=over,
        workspace=workspace,
        source=reservation.source,
        app_id=reservation.app_id,
        note=reservation.note,
        actor=reservation.actor,
        now=now,
    )
    quota.used += amount
    quota.overage += over


def _forget_due(workspace: Any, reservation: Reservation) -> None:
    if reservation.expires_at is not None:
        cancel_work(workspace_id=workspace.id, kind=DUE_KIND, target=str(reservation.pk))


def lifetime_of(seconds: int | None) -> timedelta:
    """How long a caller's reservation is held. Raises InvalidInput outside 1 s … RESERVATION_LIFETIME_MAX."""
    if seconds is None:
        lifetime: timedelta = settings.RESERVATION_LIFETIME
        return lifetime
    longest = int(settings.RESERVATION_LIFETIME_MAX.total_seconds())
    if not 0 < seconds <= longest:
        raise InvalidInput.at("/expires_in", "invalid_lifetime", f"Send between 1 and {longest:,} seconds.")
    return timedelta(seconds=seconds)
