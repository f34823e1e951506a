"""Counting use."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.billing.errors import UsageKeyReused
from apps.billing.models import AppUsage, ClosedPeriod, Quota, UsageEvent
from apps.billing.services.consumption import consume
from apps.common.errors import InvalidInput, QuotaExceeded
from apps.common.ids import new_id
from apps.events.models import Event

pytestmark = pytest.mark.django_db

REQUESTS = "runtime.requests"


def use(workspace: Any, amount: int, key: str = "", **details: Any) -> dict[str, Any]:
    details.setdefault("now", timezone.now())
    details.setdefault("dimension", REQUESTS)
    return consume(
        workspace=workspace, amount=amount, key=key or str(new_id()), source="api", actor="tester", **details
    )


def test_use_is_counted_in_quota_ledger_and_buckets(entered: Any, limit: Any) -> None:
    limit(REQUESTS, 100, soft=50)
    app, moment = new_id(), timezone.now()
    answer = use(entered, 30, app_id=app, now=moment)
    assert (answer["used"], answer["hard_limit"], answer["over_soft_limit"]) == (30, 100, False)
    assert use(entered, 30, app_id=app, now=moment)["over_soft_limit"] is True
    assert Quota.objects.get(dimension=REQUESTS).used == 60 == UsageEvent.objects.total()
    assert list(AppUsage.objects.order_by("bucket").values_list("bucket", "app_id", "amount")) == [
        ("day", app, 60),
        ("hour", app, 60),
    ]


def test_the_last_unit_can_be_used_and_not_one_more(entered: Any, limit: Any) -> None:
    limit(REQUESTS, 10)
    assert use(entered, 9)["used"] == 9
    with pytest.raises(QuotaExceeded) as refused:
        use(entered, 2)
    assert refused.value.extra["limit"] == 10
    assert refused.value.extra["used"] == 9
    assert refused.value.extra["resets_at"]
    assert use(entered, 1)["used"] == 10


def test_a_replay_gets_the_first_answer_though_the_quota_is_spent_since(entered: Any, limit: Any) -> None:
    limit(REQUESTS, 10)
    first = use(entered, 10, key="k")
    assert use(entered, 10, key="k") == first
    assert UsageEvent.objects.count() == 1
    with pytest.raises(UsageKeyReused):
        use(entered, 9, key="k")


def test_overage_is_counted_apart_where_the_plan_allows_it(entered: Any, limit: Any) -> None:
    limit(REQUESTS, 10, overage=True)
    assert use(entered, 8)["overage"] == 0
    assert use(entered, 5)["overage"] == 3
    assert use(entered, 4)["overage"] == 4
    quota = Quota.objects.get(dimension=REQUESTS)
    assert (quota.used, quota.overage) == (17, 7)


def test_a_period_rolls_over_once_and_keeps_what_was_used(entered: Any, limit: Any) -> None:
    quota = limit(REQUESTS, 10)
    use(entered, 10)
    after = quota.period_end + timedelta(seconds=1)
    # Its limits come from the plan again.
    assert use(entered, 7, now=after)["used"] == 7
    closed = ClosedPeriod.objects.get(dimension=REQUESTS)
    assert (closed.used, closed.ended_at) == (10, quota.period_end)
    assert UsageEvent.objects.in_period(REQUESTS, quota.period_end).total() == 7
    # A late one, whose clock was read before the end, counts in the period that is open.
    assert use(entered, 1, now=quota.period_end - timedelta(seconds=1))["used"] == 8


def test_thresholds_are_told_once_in_a_period(entered: Any, limit: Any) -> None:
    limit(REQUESTS, 10)
    for _ in range(10):
        use(entered, 1)
    told = Event.objects.filter(type="quota.threshold_reached").order_by("at", "id")
    assert [event.data["threshold"] for event in told] == [80, 100]


@pytest.mark.parametrize("amount", [0, -1, 10**12 + 1, True])
def test_fault_21_an_amount_that_cannot_be_is_refused(entered: Any, amount: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        use(entered, amount)
    assert refused.value.errors[0].pointer == "/amount"


def test_fault_21_a_wrong_unit_and_what_is_no_counter_are_refused(entered: Any) -> None:
    for details, pointer in (({"unit": "byte"}, "/unit"), ({"dimension": "apps"}, "/dimension")):
        with pytest.raises(InvalidInput) as refused:
            use(entered, 1, **details)
        assert refused.value.errors[0].pointer == pointer
