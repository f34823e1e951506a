"""What billing's kinds of operations do, for the test that kills their workers."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from apps.accounts.tests.factories import UserFactory
from apps.billing.models import Quota
from apps.billing.services.plan_changes import KIND as APPLY_PLAN
from apps.common.actors import SYSTEM
from apps.common.ids import new_id
from apps.common.tenancy import enter
from apps.plans.models import Plan, PlanLimit
from apps.plans.selectors.limits import Limits
from apps.plans.services.limits import change_limit
from apps.workspaces.services.plans import change_plan
from apps.workspaces.tests.factories import create_test_workspace
from config.testing.scenarios import Point, Scenario, scenario_of

DIMENSION = "ai.tokens"


@scenario_of(APPLY_PLAN)
class ApplyPlan(Scenario):
    points = (Point("apply", "between two workspaces", "apps.billing.services.plan_changes.follow_plan", call=2),)

    def prepare(self) -> None:
        now = timezone.now()
        self.plan = Plan.objects.create(code=f"p{new_id().hex[:20]}", name="Trial", position=99)
        self.row = PlanLimit.objects.create(plan=self.plan, dimension_id=DIMENSION, hard_limit=10)
        owner = UserFactory()
        self.workspaces = [create_test_workspace(owner=owner) for _ in range(3)]
        for workspace in self.workspaces:
            change_plan(workspace_id=workspace.pk, plan_code=self.plan.code, actor=SYSTEM, now=now)

    def ask(self) -> Any:
        change_limit(plan_limit_id=self.row.pk, limits=Limits(None, 20), actor=SYSTEM, now=timezone.now())
        return self.requested(APPLY_PLAN, f"{self.plan.code}:{DIMENSION}")

    def check_done(self, operation: Any) -> None:
        for workspace in self.workspaces:
            with enter(workspace):
                assert Quota.objects.get(dimension=DIMENSION).hard_limit == 20
