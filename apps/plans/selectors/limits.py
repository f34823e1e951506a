"""What a plan allows."""

from __future__ import annotations

from dataclasses import dataclass

from apps.plans.models import Plan, PlanLimit


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be used of a dimension. No hard limit is unlimited; ``overage`` lets use go on above it."""

    soft: int | None = None
    hard: int | None = None
    overage: bool = False


def limits_of_plan(plan_code: str) -> dict[str, Limits]:
    """A plan's limits by dimension; what it doesn't name is unlimited."""
    rows = PlanLimit.objects.filter(plan_id=plan_code).values_list(
        "dimension_id", "soft_limit", "hard_limit", "overage"
    )
    return {code: Limits(soft, hard, overage) for code, soft, hard, overage in rows}


def plan_names() -> dict[str, str]:
    """The plans' names by code, from the smallest to the largest."""
    return dict(Plan.objects.order_by("position", "code").values_list("code", "name"))
