"""Changing what plans allow."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.audit.services import Target, record_act
from apps.common.actors import Actor
from apps.common.errors import FieldError, InvalidInput
from apps.common.tenancy import enter_public
from apps.plans.models import PlanLimit
from apps.plans.selectors.limits import Limits
from apps.plans.signals import plan_limit_changed


def check_limits(limits: Limits) -> None:
    """Raise InvalidInput for limits below zero, or a soft one above the hard one."""
    errors = [
        FieldError(f"/{name}_limit", "negative", "A limit is a whole number from zero on; leave it empty for none.")
        for name, value in (("soft", limits.soft), ("hard", limits.hard))
        if value is not None and value < 0
    ]
    if not errors and limits.soft is not None and limits.hard is not None and limits.soft > limits.hard:
        errors.append(FieldError("/soft_limit", "above_hard_limit", "The soft limit can't be above the hard one."))
    if errors:
        raise InvalidInput(errors=errors)


def change_limit(*, plan_limit_id: UUID, limits: Limits, actor: Actor, now: datetime) -> PlanLimit:
    """Change one limit of a plan, for every workspace on it.

    What is used above the new limit gets a grace. Raises InvalidInput, PlanLimit.DoesNotExist.
    """
    check_limits(limits)
    with enter_public(), transaction.atomic():
        row = PlanLimit.objects.select_for_update(of=("self",)).select_related("plan").get(pk=plan_limit_id)
        before = Limits(row.soft_limit, row.hard_limit, row.overage)
        if before == limits:
            return row
        row.soft_limit, row.hard_limit, row.overage = limits.soft, limits.hard, limits.overage
        row.save(update_fields=["soft_limit", "hard_limit", "overage"])
        record_act(
            actor=actor,
            action="plan.change_limit",
            target=Target(kind="plan", id=row.plan_id, name=row.plan.name),
            now=now,
            changes={
                f"{row.dimension_id} soft_limit": [before.soft, limits.soft],
                f"{row.dimension_id} hard_limit": [before.hard, limits.hard],
                f"{row.dimension_id} overage": [before.overage, limits.overage],
            },
        )
        plan_limit_changed.send(
            sender=PlanLimit, plan_code=row.plan_id, dimension=row.dimension_id, actor=actor, now=now
        )
    return row
