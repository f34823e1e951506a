"""What a workspace may use: its plan's limits, or what an operator gave it instead."""

from __future__ import annotations

from datetime import datetime

from apps.billing.models import QuotaOverride
from apps.common.tenancy import enter_public
from apps.plans.selectors.limits import Limits, limits_of_plan


def promised_limits(*, plan_code: str, now: datetime) -> dict[str, tuple[Limits, datetime | None]]:
    """The limits of the entered workspace by dimension, each with the moment at which an override of it ends. What is
    missing is unlimited. A grace isn't regarded: it isn't promised."""
    with enter_public():
        plan = limits_of_plan(plan_code)
    promised: dict[str, tuple[Limits, datetime | None]] = {code: (limits, None) for code, limits in plan.items()}
    for override in QuotaOverride.objects.filter(ends_at__gt=now):
        own = Limits(override.soft_limit, override.hard_limit, override.overage_allowed)
        promised[override.dimension] = (own, override.ends_at)
    return promised
