"""Changing what plans allow."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.audit.services import Target, record_act
from apps.common.actors import Actor
from apps.common.errors import FieldError, InvalidInput
from apps.common.tenancy import enter_public
from apps.plans.models import Dimension, Plan, PlanLimit
from apps.plans.selectors.limits import Limits
from apps.plans.signals import plan_limit_changed

#: What a column of whole numbers in PostgreSQL holds.
_LARGEST = 2**63 - 1


def check_limits(limits: Limits) -> None:
    """Raise InvalidInput for limits that aren't from zero to 2⁶³ − 1, or a soft one above the hard one."""
    errors = [
        FieldError(f"/{name}_limit", "out_of_range", "A limit is a whole number from zero on; leave it empty for none.")
        for name, value in (("soft", limits.soft), ("hard", limits.hard))
        if value is not None and not 0 <= value <= _LARGEST
    ]
    if not errors and limits.soft is not None and limits.hard is not None and limits.soft > limits.hard:
        errors.append(FieldError("/soft_limit", "above_hard_limit", "The soft limit can't be above the hard one."))
    if errors:
        raise InvalidInput(errors=errors)


def check_added(limits: Limits) -> None:
    """``check_limits``, and InvalidInput for limits that limit nothing."""
    check_limits(limits)
    if limits.soft is None and limits.hard is None:
        raise InvalidInput.at("/hard_limit", "no_limit", "Give a hard or a soft limit: without one it stays unlimited.")


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
        _tell(row, action="plan.change_limit", before=before, after=limits, actor=actor, now=now)
    return row


def add_limit(*, plan_code: str, dimension: str, limits: Limits, actor: Actor, now: datetime) -> PlanLimit:
    """Limit a dimension in a plan that doesn't limit it yet, for every workspace on it.

    What is used above the limit gets a grace. Raises InvalidInput (limits that limit nothing, too), Plan.DoesNotExist.
    """
    check_added(limits)
    with enter_public(), transaction.atomic():
        plan = Plan.objects.select_for_update(no_key=True).get(pk=plan_code)
        known = Dimension.objects.filter(pk=dimension).first()
        if known is None:
            raise InvalidInput.at("/dimension", "unknown_dimension", "There is no such dimension.")
        row = PlanLimit(
            plan=plan,
            dimension=known,
            soft_limit=limits.soft,
            hard_limit=limits.hard,
            overage=limits.overage,
        )
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            detail = f"{plan} limits {known} already. Change that limit."
            raise InvalidInput.at("/dimension", "limited_already", detail) from None
        _tell(row, action="plan.add_limit", before=Limits(), after=limits, actor=actor, now=now)
    return row


def remove_limit(*, plan_limit_id: UUID, actor: Actor, now: datetime) -> None:
    """Take a limit out of its plan: the dimension is unlimited then for every workspace on it that has no override.

    Raises PlanLimit.DoesNotExist.
    """
    with enter_public(), transaction.atomic():
        row = PlanLimit.objects.select_for_update(of=("self",)).select_related("plan").get(pk=plan_limit_id)
        before = Limits(row.soft_limit, row.hard_limit, row.overage)
        row.delete()
        _tell(row, action="plan.remove_limit", before=before, after=Limits(), actor=actor, now=now)


def _tell(row: PlanLimit, *, action: str, before: Limits, after: Limits, actor: Actor, now: datetime) -> None:
    """Write it down, and have the workspaces on the plan follow."""
    record_act(
        actor=actor,
        action=action,
        target=Target(kind="plan", id=row.plan_id, name=f"{row.plan.name}, {row.dimension_id}"),
        now=now,
        changes={
            "soft_limit": [before.soft, after.soft],
            "hard_limit": [before.hard, after.hard],
            "overage": [before.overage, after.overage],
        },
    )
    plan_limit_changed.send(sender=PlanLimit, plan_code=row.plan_id, dimension=row.dimension_id, actor=actor, now=now)
