"""What is done for every workspace's quotas in the background: hourly for what operators see, daily for the proof.

Counting needs none of it: whoever counts brings the row up to date. It is for those that nobody uses: their periods
are closed, their graces end, what expired is given back, and the operators' roll-up is fresh.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.billing.models import Lease, Reservation
from apps.billing.services.quotas import give_back_expired, lock_quota, refresh_quotas
from apps.billing.services.reconciliation import reconcile
from apps.billing.services.roll_up import roll_up_quotas
from apps.workspaces.services import rounds
from apps.workspaces.services.due_work import DueItem

UPKEEP = "billing.upkeep"
RECONCILIATION = "billing.reconciliation"
_ROUNDS = {UPKEEP: timedelta(hours=1), RECONCILIATION: timedelta(days=1)}


def begin_missing_upkeep(*, now: datetime) -> int:
    """Schedule both rounds for every workspace that lacks one; returns how many were scheduled."""
    return sum(rounds.begin_missing_rounds(kind, every=every, now=now, salt=kind) for kind, every in _ROUNDS.items())


def next_turn(kind: str, workspace_id: UUID, now: datetime) -> datetime:
    """The workspace's next turn after ``now`` in the round of this kind."""
    return rounds.next_turn(workspace_id, now, every=_ROUNDS[kind], salt=kind)


def keep_quotas(item: DueItem) -> datetime:
    """Bring the workspace's quotas up to date, give back what expired, and tell the operators' roll-up."""
    give_back_all_expired(workspace=item.workspace, now=item.now)
    tell_operators(workspace=item.workspace, now=item.now)
    return next_turn(UPKEEP, item.workspace.pk, item.now)


def prove_quotas(item: DueItem) -> datetime:
    """Compare the workspace's quotas with the truth, and mend them."""
    reconcile(workspace=item.workspace, now=item.now)
    return next_turn(RECONCILIATION, item.workspace.pk, item.now)


def give_back_all_expired(*, workspace: Any, now: datetime) -> int:
    """Give back what expired reservations and leases of the entered workspace hold; returns how many units."""
    expired = {
        *Reservation.objects.expired_at(now).values_list("dimension", flat=True),
        *Lease.objects.expired_at(now).values_list("dimension", flat=True),
    }
    given_back = 0
    for dimension in sorted(expired):
        with transaction.atomic():
            quota = lock_quota(workspace=workspace, dimension=dimension, now=now)
            given_back += give_back_expired(quota, now=now)
    return given_back


def tell_operators(*, workspace: Any, now: datetime) -> None:
    """Write the present state of every quota of the entered workspace into the roll-up."""
    roll_up_quotas(refresh_quotas(workspace=workspace, now=now), workspace=workspace, now=now)
