"""What a plan allows."""

from __future__ import annotations

from dataclasses import dataclass

from apps.plans.models import Plan, PlanLimit


def hard_limits(dimension: str) -> dict[str, int | None]:
    """The hard limit of every plan in a dimension, by the plan's code; None is unlimited, as is a plan without one."""
    return dict(PlanLimit.objects.filter(dimension_id=dimension).values_list("plan_id", "hard_limit"))


def hard_limit(plan_code: str, dimension: str) -> int | None:
    """The hard limit of one plan in a dimension; None is unlimited."""
    return (
        PlanLimit.objects.filter(plan_id=plan_code, dimension_id=dimension).values_list("hard_limit", flat=True).first()
    )


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
