"""What the platform's own operations set aside of a level: from the moment they are asked for until they end.

A hold is a reservation without an end of its own. Should its operation forget it, a look that waits as due work gives
it back once the operation has ended, or if it was never committed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.billing.models import Quota, Reservation
from apps.billing.services.levels import set_level
from apps.billing.services.presence import entered_with_quotas
from apps.billing.services.quotas import find_quota, lock_quota, measure_level
from apps.billing.services.reservations import release_reservation, reserve
from apps.common.ids import new_id
from apps.common.tenancy import enter_public
from apps.operations.selectors.pending import pending_operations
from apps.workspaces.services.due_work import DueItem, cancel_work, schedule_work

HOLD_KIND = "billing.hold"


def hold_for_operation(*, workspace_id: UUID, dimension: str, operation_id: UUID, amount: int, now: datetime) -> None:
    """Set ``amount`` (one at least) of a level aside for an operation, so that no other takes the same room.

    To be called in the transaction that asks for the operation, or in a step of it. A repeat replaces what it had. What
    exists is measured anew first. Raises QuotaExceeded; then it has what it had before.
    """
    with entered_with_quotas(workspace_id) as workspace:
        if workspace is None:
            return
        with transaction.atomic():
            quota = lock_quota(workspace=workspace, dimension=dimension, now=now)
            set_level(quota, measure_level(quota, workspace), workspace=workspace, now=now)
            held = _held(operation_id, dimension)
            if held is not None and held.amount == amount:
                return
            if held is not None:
                release_reservation(workspace=workspace, reservation_id=held.pk, now=now)
            reserve(
                workspace=workspace,
                dimension=dimension,
                amount=amount,
                # One of its own for each, because a key is used once, and an operation that is retried holds again.
                key=f"{_prefix(operation_id)}{new_id()}",
                source="operation",
                actor="",
                now=now,
                lifetime=None,
            )
            schedule_work(
                workspace_id=workspace.pk,
                kind=HOLD_KIND,
                due_at=now + settings.OPERATION_HOLD_CHECK,
                target=str(operation_id),
            )


def release_holds(*, workspace_id: UUID, operation_id: UUID, now: datetime) -> int:
    """Give back whatever an operation holds; returns how many holds. Safe to repeat."""
    with entered_with_quotas(workspace_id) as workspace:
        return 0 if workspace is None else _release(workspace, operation_id, now)


def ceiling_for_operation(*, workspace_id: UUID, dimension: str, operation_id: UUID, now: datetime) -> int | None:
    """How high the level may be when this operation ends: the limit, less what others have set aside. None for no
    limit."""
    with entered_with_quotas(workspace_id) as workspace:
        if workspace is None:
            return None
        quota = find_quota(workspace=workspace, dimension=dimension, now=now)
        if quota.enforced_limit is None:
            return None
        held = _held(operation_id, dimension)
        return max(0, quota.enforced_limit - quota.reserved + (held.amount if held else 0))


def enforced_limit(*, workspace_id: UUID, dimension: str, now: datetime) -> int | None:
    """The limit that holds at ``now`` (the plan's, an override's, or in a grace the former one); None for no limit, and
    where use may go on above it."""
    with entered_with_quotas(workspace_id) as workspace:
        if workspace is None:
            return None
        quota: Quota = find_quota(workspace=workspace, dimension=dimension, now=now)
        return quota.enforced_limit


def check_hold(item: DueItem) -> datetime | None:
    """Handle what is due: give back what an operation holds that doesn't run any more; look again while it does."""
    operation_id = UUID(item.target)
    with enter_public():
        if pending_operations({operation_id}):
            return item.now + settings.OPERATION_HOLD_CHECK
    _release(item.workspace, operation_id, item.now)
    return None


def _release(workspace: Any, operation_id: UUID, now: datetime) -> int:
    with transaction.atomic():
        # In one order, so that two who release several don't wait for each other in a circle.
        held = list(Reservation.objects.held().filter(idempotency_key__startswith=_prefix(operation_id)))
        for reservation in sorted(held, key=lambda row: row.dimension):
            release_reservation(workspace=workspace, reservation_id=reservation.pk, now=now)
        if held:
            cancel_work(workspace_id=workspace.pk, kind=HOLD_KIND, target=str(operation_id))
    return len(held)


def _held(operation_id: UUID, dimension: str) -> Reservation | None:
    """What the operation holds of a dimension."""
    rows = Reservation.objects.held().filter(idempotency_key__startswith=_prefix(operation_id), dimension=dimension)
    found: Reservation | None = rows.first()
    return found


def _prefix(operation_id: UUID) -> str:
    return f"operation:{operation_id}:"
