"""Setting aside, committing, giving back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.billing.errors import ReservationEnded, ReservationExpired
from apps.billing.models import Quota, Reservation, UsageEvent
from apps.billing.services.reservations import DUE_KIND, commit_reservation, release_reservation, reserve
from apps.common.errors import QuotaExceeded
from apps.common.ids import new_id
from apps.workspaces.models import DueWork
from apps.workspaces.services.due_work import do_due_work, sweep_due_work

pytestmark = pytest.mark.django_db

TOKENS = "ai.tokens"


def hold(workspace: Any, amount: int, key: str = "", **details: Any) -> Reservation:
    details.setdefault("now", timezone.now())
    return reserve(
        workspace=workspace,
        dimension=TOKENS,
        amount=amount,
        key=key or str(new_id()),
        source="api",
        actor="tester",
        lifetime=timedelta(minutes=15),
        **details,
    )


def test_what_is_held_is_nobody_elses_and_the_rest_is_given_back(entered: Any, limit: Any) -> None:
    limit(TOKENS, 10)
    held = hold(entered, 8)
    with pytest.raises(QuotaExceeded):
        hold(entered, 3)
    now = timezone.now()
    commit_reservation(workspace=entered, reservation_id=held.pk, amount=5, now=now)
    again = commit_reservation(workspace=entered, reservation_id=held.pk, amount=5, now=now)
    assert again.committed_amount == 5
    quota = Quota.objects.get(dimension=TOKENS)
    assert (quota.used, quota.reserved) == (5, 0)
    assert UsageEvent.objects.total() == 5
    with pytest.raises(ReservationEnded):
        commit_reservation(workspace=entered, reservation_id=held.pk, amount=6, now=now)
    with pytest.raises(ReservationEnded):
        release_reservation(workspace=entered, reservation_id=held.pk, now=now)


def test_more_than_was_reserved_is_counted_while_there_is_room(entered: Any, limit: Any) -> None:
    limit(TOKENS, 10)
    held = hold(entered, 8)
    with pytest.raises(QuotaExceeded):
        commit_reservation(workspace=entered, reservation_id=held.pk, amount=11, now=timezone.now())
    assert Reservation.objects.get().status == "held"
    commit_reservation(workspace=entered, reservation_id=held.pk, amount=10, now=timezone.now())
    assert Quota.objects.get(dimension=TOKENS).used == 10


def test_the_same_key_reserves_once(entered: Any, limit: Any) -> None:
    limit(TOKENS, 10)
    assert hold(entered, 8, key="k").pk == hold(entered, 8, key="k").pk
    assert Quota.objects.get(dimension=TOKENS).reserved == 8


def test_fault_20_what_nobody_commits_expires(entered: Any, limit: Any) -> None:
    limit(TOKENS, 10)
    held = hold(entered, 8)
    later = held.expires_at + timedelta(seconds=1)
    with pytest.raises(ReservationExpired):
        commit_reservation(workspace=entered, reservation_id=held.pk, amount=8, now=later)
    # Whoever needs the room doesn't wait for the sweep.
    assert hold(entered, 10, now=later).status == "held"
    assert Reservation.objects.get(pk=held.pk).status == "expired"


def test_fault_20_the_sweep_finds_what_expired(entered: Any, limit: Any) -> None:
    limit(TOKENS, 10)
    held = hold(entered, 8)
    later = held.expires_at + timedelta(seconds=1)
    assert sweep_due_work(now=later)
    row = DueWork.objects.get(kind=DUE_KIND)
    assert do_due_work(due_work_id=row.pk, claim=row.claimed_until, now=later)
    assert Quota.objects.get(dimension=TOKENS).reserved == 0
    assert Reservation.objects.get(pk=held.pk).status == "expired"
