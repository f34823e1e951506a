"""A plan's limits changed: every workspace on it gets them, one after the other."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from apps.billing.services.quotas import reconsider_limits
from apps.common.actors import Actor
from apps.common.tenancy import enter
from apps.operations.services.kinds import StepContext
from apps.operations.services.requests import request_operation
from apps.workspaces.selectors.directory import count_on_plan, workspaces_on_plan

KIND = "billing.apply_plan"
_BATCH = 200


def follow_plan(*, workspace: Any, dimensions: list[str], now: datetime) -> None:
    """Take the limits of these dimensions from the entered workspace's plan."""
    with transaction.atomic():
        reconsider_limits(workspace=workspace, dimensions=dimensions, now=now)


def request_apply_plan(*, plan_code: str, dimension: str, actor: Actor, now: datetime) -> None:
    """Have all workspaces on the plan take its limit of the dimension, in the background."""
    request_operation(
        kind=KIND,
        target_id=f"{plan_code}:{dimension}"[:80],
        params={"plan": plan_code, "dimension": dimension},
        actor=actor,
        now=now,
    )


def apply_plan_step(context: StepContext) -> dict[str, int]:
    """Go through the workspaces on the plan. Safe to repeat: who has the limit already keeps it."""
    plan, dimension = context.params["plan"], context.params["dimension"]
    total, done, last = count_on_plan(plan), 0, None
    while batch := workspaces_on_plan(plan, after=last, limit=_BATCH):
        for workspace in batch:
            with enter(workspace):
                follow_plan(workspace=workspace, dimensions=[dimension], now=context.clock())
        done, last = done + len(batch), batch[-1].pk
        context.report(min(99, done * 100 // max(total, 1)), f"{done:,} of {total:,} workspaces.")
    return {"workspaces": done}
