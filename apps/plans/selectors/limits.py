"""What a plan allows."""

from __future__ import annotations

from apps.plans.models import PlanLimit


def hard_limits(dimension: str) -> dict[str, int | None]:
    """The hard limit of every plan in a dimension, by the plan's code; None is unlimited, as is a plan without one."""
    return dict(PlanLimit.objects.filter(dimension_id=dimension).values_list("plan_id", "hard_limit"))


def hard_limit(plan_code: str, dimension: str) -> int | None:
    """The hard limit of one plan in a dimension; None is unlimited."""
    return (
        PlanLimit.objects.filter(plan_id=plan_code, dimension_id=dimension).values_list("hard_limit", flat=True).first()
    )
