"""Units leased in blocks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.billing.models import Lease, Quota, UsageEvent
from apps.billing.services.leases import Block, renew_lease
from apps.common.ids import new_id

pytestmark = pytest.mark.django_db

REQUESTS = "runtime.requests"


def renew(workspace: Any, holder: str, spent: int, wanted: int, **details: Any) -> Block:
    details.setdefault("now", timezone.now())
    return renew_lease(
        workspace=workspace,
        dimension=REQUESTS,
        holder=holder,
        spent={new_id(): spent} if spent else {},
        wanted=wanted,
        source="runtime",
        **details,
    )


def test_blocks_shrink_so_that_the_last_unit_is_used_and_not_one_more(entered: Any, limit: Any) -> None:
    limit(REQUESTS, 1_000)
    served, holders = 0, {"a": 0, "b": 0}
    sizes = []
    for turn in range(10_000):
        holder = "ab"[turn % 2]
        block = renew(entered, holder, holders[holder], 500)
        served += holders[holder]
        holders[holder] = block.units
        sizes.append(block.units)
        if block.units == 0 and not any(holders.values()):
            break
    assert served == 1_000
    assert sizes[0] == 125
    assert 1 in sizes
    quota = Quota.objects.get(dimension=REQUESTS)
    assert (quota.used, quota.reserved) == (1_000, 0)
    assert UsageEvent.objects.total() == 1_000


def test_what_is_left_is_returned(entered: Any, limit: Any) -> None:
    limit(REQUESTS, 1_000)
    assert renew(entered, "a", 0, 100).units == 100
    assert renew(entered, "a", 40, 0).units == 0
    quota = Quota.objects.get(dimension=REQUESTS)
    assert (quota.used, quota.reserved) == (40, 0)
    assert not Lease.objects.exists()


def test_a_silent_holder_loses_its_lease(entered: Any, limit: Any) -> None:
    limit(REQUESTS, 8)
    block = renew(entered, "dead", 0, 100)
    assert block.units == 1
    later = block.expires_at + timedelta(seconds=1)
    renew(entered, "alive", 0, 1, now=later)
    assert [lease.holder for lease in Lease.objects.all()] == ["alive"]
    assert Quota.objects.get(dimension=REQUESTS).reserved == 1
