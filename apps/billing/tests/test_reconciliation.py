"""Quotas are proved against the ledger, the holders and reality."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.applications.services.apps import create_app
from apps.billing.models import AppUsage, Lease, Quota, UsageEvent
from apps.billing.services.consumption import consume
from apps.billing.services.leases import renew_lease
from apps.billing.services.levels import note_level
from apps.billing.services.reconciliation import Drift, reconcile
from apps.billing.services.upkeep import RECONCILIATION, UPKEEP, begin_missing_upkeep, keep_quotas, next_turn
from apps.common.actors import SYSTEM
from apps.common.ids import new_id
from apps.plans.models import UsageDrift, WorkspaceUsage
from apps.workspaces.models import DueWork
from apps.workspaces.services.due_work import DueItem

pytestmark = pytest.mark.django_db

REQUESTS = "runtime.requests"


def use_some(workspace: Any) -> None:
    now = timezone.now()
    for amount in (3, 4):
        consume(
            workspace=workspace,
            dimension=REQUESTS,
            amount=amount,
            key=str(new_id()),
            source="api",
            actor="",
            now=now,
        )
    renew_lease(
        workspace=workspace, dimension=REQUESTS, holder="a", spent={None: 5}, wanted=10, source="runtime", now=now
    )


def test_what_is_true_is_left_alone(entered: Any) -> None:
    use_some(entered)
    assert reconcile(workspace=entered, now=timezone.now()) == []
    assert not UsageDrift.objects.exists()


@pytest.mark.parametrize(("what", "found"), [("used", 12), ("reserved", 10), ("overage", 0)])
def test_a_quota_that_drifted_is_brought_in_line_with_the_ledger(entered: Any, what: str, found: int) -> None:
    use_some(entered)
    quota = Quota.objects.get(dimension=REQUESTS)
    wrong = getattr(quota, what) + 1
    Quota.objects.filter(pk=quota.pk).update(**{what: wrong})
    assert reconcile(workspace=entered, now=timezone.now()) == [Drift(REQUESTS, what, wrong, found)]
    assert getattr(Quota.objects.get(pk=quota.pk), what) == found
    assert UsageDrift.objects.get().difference == 1
    assert reconcile(workspace=entered, now=timezone.now()) == []


def test_a_level_that_drifted_is_measured_and_compensated_in_the_ledger(entered: Any) -> None:
    now = timezone.now()
    note_level(workspace_id=entered.id, dimension="apps", now=now)
    assert Quota.objects.get(dimension="apps").used == 1
    create_app(workspace=entered, name="Another", actor=SYSTEM, now=now)
    note_level(workspace_id=entered.id, dimension="apps", now=now)
    Quota.objects.filter(dimension="apps").update(used=5)
    assert Drift("apps", "level", 2, 2) not in reconcile(workspace=entered, now=now)
    quota = Quota.objects.get(dimension="apps")
    assert quota.used == 2 == UsageEvent.objects.in_period("apps", quota.period_start).total()
    assert reconcile(workspace=entered, now=now) == []


def test_upkeep_is_scheduled_once_and_spread(make_workspace: Any, user: Any) -> None:
    now = timezone.now()
    workspaces = [make_workspace(owner=user) for _ in range(3)]
    begin_missing_upkeep(now=now)
    assert begin_missing_upkeep(now=now) == 0
    for kind, round_ in ((UPKEEP, timedelta(hours=1)), (RECONCILIATION, timedelta(days=1))):
        for workspace in workspaces:
            due = DueWork.objects.get(kind=kind, workspace=workspace).due_at
            assert now < due <= now + round_
            assert next_turn(kind, workspace.pk, due) == due + round_


def test_upkeep_gives_back_what_expired_and_tells_the_operators(entered: Any) -> None:
    use_some(entered)
    lease = Lease.objects.get()
    later = lease.expires_at + timedelta(seconds=1)
    item = DueItem(workspace=entered, kind=UPKEEP, target="", due_at=later, now=later)
    again = keep_quotas(item)
    assert later < again <= later + timedelta(hours=1)
    shown = WorkspaceUsage.objects.get(workspace_id=entered.id, dimension_id=REQUESTS)
    assert (shown.used, shown.reserved) == (12, 0)
    assert WorkspaceUsage.objects.filter(workspace_id=entered.id).count() == Quota.objects.count()
    assert AppUsage.objects.filter(bucket="hour").get().amount == 12
