"""Where a workspace's limits come from: plan, override, grace."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.billing.errors import NoOverride
from apps.billing.models import Quota, QuotaOverride
from apps.billing.services.consumption import consume
from apps.billing.services.overrides import end_override, override_limits
from apps.billing.services.quotas import find_quota
from apps.common.actors import SYSTEM
from apps.common.errors import InvalidInput, QuotaExceeded
from apps.common.ids import new_id
from apps.events.models import Event
from apps.operations.models import Operation
from apps.plans.models import PlanLimit
from apps.plans.selectors.limits import Limits
from apps.plans.services.limits import change_limit
from apps.workspaces.services.plans import change_plan

pytestmark = pytest.mark.django_db

TOKENS = "ai.tokens"


def use(workspace: Any, amount: int, *, now: Any = None) -> Any:
    return consume(
        workspace=workspace,
        dimension=TOKENS,
        amount=amount,
        key=str(new_id()),
        source="api",
        actor="",
        now=now or timezone.now(),
    )


def test_another_plan_applies_at_once(entered: Any) -> None:
    now = timezone.now()
    assert find_quota(workspace=entered, dimension=TOKENS, now=now).hard_limit == 200_000
    change_plan(workspace_id=entered.id, plan_code="team", actor=SYSTEM, now=now)
    assert find_quota(workspace=entered, dimension=TOKENS, now=now).hard_limit == 5_000_000
    assert Event.objects.filter(type="workspace.plan_changed").count() == 1
    with pytest.raises(InvalidInput):
        change_plan(workspace_id=entered.id, plan_code="gold", actor=SYSTEM, now=now)


def test_a_smaller_plan_gives_a_grace_when_more_is_used(entered: Any) -> None:
    now = timezone.now()
    change_plan(workspace_id=entered.id, plan_code="team", actor=SYSTEM, now=now)
    use(entered, 300_000)
    entered.refresh_from_db()
    change_plan(workspace_id=entered.id, plan_code="free", actor=SYSTEM, now=now)
    entered.refresh_from_db()
    quota = find_quota(workspace=entered, dimension=TOKENS, now=now)
    assert (quota.limit_source, quota.hard_limit) == ("grace", 5_000_000)
    assert quota.grace_until == now + timedelta(days=14)
    use(entered, 1)
    end = quota.grace_until + timedelta(seconds=1)
    with pytest.raises(QuotaExceeded) as refused:
        use(entered, 1, now=end)
    assert refused.value.extra["limit"] == 200_000
    quota = find_quota(workspace=entered, dimension=TOKENS, now=end)
    assert quota.limit_source == "plan"
    assert quota.over_since == end, "more is used than the limit allows, and the row says since when"
    told = Event.objects.filter(type__startswith="quota.grace").order_by("at", "id").values_list("type", "data__over")
    assert list(told) == [("quota.grace_started", None), ("quota.grace_ended", True)]


def test_an_upgrade_ends_the_grace(entered: Any, limit: Any) -> None:
    now = timezone.now()
    limit(TOKENS, 5_000_000, used=300_000)
    change_plan(workspace_id=entered.id, plan_code="business", actor=SYSTEM, now=now)
    entered.refresh_from_db()
    quota = find_quota(workspace=entered, dimension=TOKENS, now=now)
    assert (quota.limit_source, quota.hard_limit, quota.grace_until) == ("plan", 50_000_000, None)


def test_an_override_holds_until_its_end(entered: Any) -> None:
    now = timezone.now()
    ends = now + timedelta(days=3)
    override_limits(
        workspace=entered,
        dimension=TOKENS,
        limits=Limits(None, 7),
        reason="A trial",
        ends_at=ends,
        actor=SYSTEM,
        now=now,
    )
    quota = find_quota(workspace=entered, dimension=TOKENS, now=now)
    assert (quota.limit_source, quota.hard_limit, quota.valid_until) == ("override", 7, ends)
    later = find_quota(workspace=entered, dimension=TOKENS, now=ends)
    assert (later.limit_source, later.hard_limit) == ("plan", 200_000)
    assert not QuotaOverride.objects.exists()
    with pytest.raises(NoOverride):
        end_override(workspace=entered, dimension=TOKENS, actor=SYSTEM, now=now)


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"limits": Limits(9, 7)}, "/soft_limit"),
        ({"limits": Limits(None, -1)}, "/hard_limit"),
        ({"reason": " "}, "/reason"),
        ({"ends_at": timezone.now() - timedelta(days=1)}, "/ends_at"),
        ({"dimension": "luck"}, "/dimension"),
    ],
)
def test_an_override_that_cannot_be_is_refused(entered: Any, changed: Any, pointer: str) -> None:
    now = timezone.now()
    asked = {"dimension": TOKENS, "limits": Limits(None, 7), "reason": "A trial", "ends_at": now + timedelta(days=1)}
    with pytest.raises(InvalidInput) as refused:
        override_limits(workspace=entered, actor=SYSTEM, now=now, **asked | changed)
    assert refused.value.errors[0].pointer == pointer


def test_a_changed_limit_of_a_plan_is_handed_to_a_worker(entered: Any) -> None:
    row = PlanLimit.objects.get(plan_id="free", dimension_id=TOKENS)
    change_limit(plan_limit_id=row.pk, limits=Limits(None, 5), actor=SYSTEM, now=timezone.now())
    assert Operation.objects.get(kind="billing.apply_plan").params == {"plan": "free", "dimension": TOKENS}
    with pytest.raises(InvalidInput):
        change_limit(plan_limit_id=row.pk, limits=Limits(6, 5), actor=SYSTEM, now=timezone.now())
    assert Quota.objects.get(dimension=TOKENS).hard_limit == 200_000, "until the worker has been there"
