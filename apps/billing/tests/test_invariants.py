"""What is always true of quotas, whatever happens in whichever order.

A machine of hypothesis draws uses, corrections, reservations, leases, changes of limits, ends of periods and
crashes, and after each step compares the quota with its ledger and with a model that a child could keep.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from apps.billing.errors import NotCorrectable, ReservationEnded, ReservationExpired
from apps.billing.models import AppUsage, ClosedPeriod, Lease, Quota, QuotaOverride, Reservation, UsageEvent
from apps.billing.selectors.truth import sum_up
from apps.billing.services.consumption import consume
from apps.billing.services.corrections import correct_use
from apps.billing.services.leases import renew_lease
from apps.billing.services.overrides import override_limits
from apps.billing.services.quotas import find_quota
from apps.billing.services.reservations import commit_reservation, release_reservation, reserve
from apps.billing.services.upkeep import give_back_all_expired
from apps.common.actors import SYSTEM
from apps.common.errors import QuotaExceeded
from apps.common.ids import new_id
from apps.plans.selectors.limits import Limits

REQUESTS = "runtime.requests"
HOLDERS = ("web-1", "web-2", "web-3")
AMOUNTS = st.integers(1, 40)


class Crash(Exception):
    """The process died before its transaction was committed."""


class Quotas(RuleBasedStateMachine):
    """One counter of one workspace, used by everybody at once."""

    workspace: Any

    @initialize(hard=st.integers(0, 120), overage=st.booleans())
    def begin(self, hard: int, overage: bool) -> None:
        UsageEvent.objects.exclude(corrects=None).delete()
        for model in (AppUsage, ClosedPeriod, Lease, QuotaOverride, Reservation, UsageEvent, Quota):
            model.objects.all().delete()
        self.now: datetime = timezone.now()
        self.hard, self.overage = hard, overage
        self.answers: dict[str, tuple[int, dict[str, Any]]] = {}
        self.held: dict[Any, int] = {}
        self.blocks: Counter[str] = Counter()
        self.counted = 0
        self.limit_to(hard, overage)

    def limit_to(self, hard: int, overage: bool) -> None:
        override_limits(
            workspace=self.workspace,
            dimension=REQUESTS,
            limits=Limits(None, hard, overage),
            reason="A test",
            ends_at=self.now + timedelta(days=3650),
            actor=SYSTEM,
            now=self.now,
        )

    def consume(self, key: str, amount: int) -> dict[str, Any]:
        return consume(
            workspace=self.workspace,
            dimension=REQUESTS,
            amount=amount,
            key=key,
            source="api",
            actor="",
            now=self.now,
        )

    @rule(amount=AMOUNTS)
    def use(self, amount: int) -> None:
        key = str(new_id())
        try:
            answer = self.consume(key, amount)
        except QuotaExceeded:
            assert not self.overage
            return
        self.counted += amount
        self.answers[key] = (amount, answer)

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(list(self.answers)))
        amount, answer = self.answers[key]
        assert self.consume(key, amount) == answer

    @precondition(lambda self: self.answers)
    @rule(data=st.data(), amount=AMOUNTS)
    def correct(self, data: st.DataObject, amount: int) -> None:
        key = data.draw(st.sampled_from(list(self.answers)))
        try:
            correct_use(
                workspace=self.workspace,
                event_id=UUID(self.answers[key][1]["id"]),
                amount=amount,
                key=str(new_id()),
                note="A mistake",
                actor=SYSTEM,
                now=self.now,
            )
        except NotCorrectable:
            return
        self.counted -= amount

    @rule(amount=AMOUNTS, minutes=st.integers(1, 60))
    def set_aside(self, amount: int, minutes: int) -> None:
        try:
            held = reserve(
                workspace=self.workspace,
                dimension=REQUESTS,
                amount=amount,
                key=str(new_id()),
                source="api",
                actor="",
                now=self.now,
                lifetime=timedelta(minutes=minutes),
            )
        except QuotaExceeded:
            assert not self.overage
            return
        self.held[held.pk] = amount

    @precondition(lambda self: self.held)
    @rule(data=st.data(), actual=st.integers(0, 60))
    def commit(self, data: st.DataObject, actual: int) -> None:
        key = data.draw(st.sampled_from(list(self.held)))
        try:
            commit_reservation(workspace=self.workspace, reservation_id=key, amount=actual, now=self.now)
        except QuotaExceeded:
            assert actual > self.held[key]
            return
        except (ReservationExpired, ReservationEnded):
            pass
        else:
            self.counted += actual
        del self.held[key]

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(list(self.held)))
        release_reservation(workspace=self.workspace, reservation_id=key, now=self.now)
        del self.held[key]

    @rule(holder=st.sampled_from(HOLDERS), share=st.floats(0, 1), wanted=st.integers(0, 50))
    def report(self, holder: str, share: float, wanted: int) -> None:
        alive = Lease.objects.filter(holder=holder, expires_at__gt=self.now).exists()
        spent = int(self.blocks[holder] * share) if alive else 0
        block = renew_lease(
            workspace=self.workspace,
            dimension=REQUESTS,
            holder=holder,
            spent={None: spent},
            wanted=wanted,
            source="runtime",
            now=self.now,
        )
        self.counted += spent
        self.blocks[holder] = block.units

    @rule(holder=st.sampled_from(HOLDERS))
    def die(self, holder: str) -> None:
        """Whatever the holder had goes back when its lease has expired."""
        self.blocks[holder] = 0

    @rule(amount=AMOUNTS)
    def crash(self, amount: int) -> None:
        with pytest.raises((Crash, QuotaExceeded)), transaction.atomic():
            self.consume(str(new_id()), amount)
            raise Crash

    @rule(hard=st.integers(0, 120), overage=st.booleans())
    def change_limit(self, hard: int, overage: bool) -> None:
        self.limit_to(hard, overage)
        quota = find_quota(workspace=self.workspace, dimension=REQUESTS, now=self.now)
        self.hard, self.overage = quota.hard_limit, quota.overage_allowed

    @rule(minutes=st.integers(1, 90))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(days=st.integers(20, 70))
    def wait_long(self, days: int) -> None:
        self.now += timedelta(days=days)
        quota = find_quota(workspace=self.workspace, dimension=REQUESTS, now=self.now)
        self.hard, self.overage = quota.hard_limit, quota.overage_allowed

    @rule()
    def sweep(self) -> None:
        give_back_all_expired(workspace=self.workspace, now=self.now)

    @invariant()
    def numbers_agree(self) -> None:
        for sums in sum_up([REQUESTS]):
            assert sums.agree, sums

    @invariant()
    def never_above_the_hard_limit(self) -> None:
        quota = Quota.objects.filter(dimension=REQUESTS).first()
        if quota is None or quota.hard_limit is None or quota.overage_allowed or quota.over_since is not None:
            return
        assert quota.used + quota.reserved <= quota.hard_limit

    @invariant()
    def everything_counts_in_exactly_one_period(self) -> None:
        quota = Quota.objects.filter(dimension=REQUESTS).first()
        if quota is None:
            return
        closed = ClosedPeriod.objects.filter(dimension=REQUESTS).aggregate(total=Sum("used"))["total"] or 0
        in_buckets = AppUsage.objects.filter(dimension=REQUESTS, bucket="day").aggregate(total=Sum("amount"))["total"]
        assert closed + quota.used == self.counted == UsageEvent.objects.total() == (in_buckets or 0)


@pytest.mark.django_db
def test_quotas_never_miscount(entered: Any) -> None:
    machine = type("QuotasOfAWorkspace", (Quotas,), {"workspace": entered})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
