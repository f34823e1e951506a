"""Plans that operators make, what plans are called, and those that go."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from apps.audit.services import Target, record_act
from apps.common.actors import Actor
from apps.common.errors import FieldError, InvalidInput
from apps.common.names import name_errors
from apps.common.slugs import check_slug
from apps.common.tenancy import enter_public
from apps.plans.errors import BuiltInPlan
from apps.plans.models import Plan
from apps.plans.selectors.running import forget_running_limits
from apps.plans.services.catalogue import PLANS
from apps.plans.signals import plan_removed

_CODE_LONGEST = 40
_NAME_LONGEST = 100
_DESCRIPTION_LONGEST = 300
#: What a column of small positive numbers in PostgreSQL holds.
_LARGEST = 2**15 - 1


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """What a plan is called, where it stands among the others (the smallest first), and how many operations of a
    workspace run at once (None: OPERATION_RUNNING_PER_WORKSPACE)."""

    name: str
    description: str = ""
    position: int = 0
    running_operations: int | None = None


def add_plan(*, code: str, terms: PlanTerms, actor: Actor, now: datetime) -> Plan:
    """Make a plan that limits nothing yet. Its code is a slug that stays for good. Raises InvalidInput."""
    terms = _checked(terms)
    check_slug(code, pointer="/code", reserved=frozenset())
    if len(code) > _CODE_LONGEST:
        raise InvalidInput.at("/code", "too_long", f"A plan's code has {_CODE_LONGEST} characters at most.")
    plan = Plan(code=code, **asdict(terms))
    with enter_public(), transaction.atomic():
        try:
            with transaction.atomic():
                plan.save(force_insert=True)
        except IntegrityError:
            raise InvalidInput.at("/code", "taken", "There is a plan with this code already.") from None
        changes = {field: [None, value] for field, value in asdict(terms).items()}
        _record(plan, "plan.add", actor=actor, now=now, changes=changes)
    return plan


def edit_plan(*, code: str, terms: PlanTerms, actor: Actor, now: datetime) -> Plan:
    """Change what a plan is called, its place, and how many operations run at once. Other processes know that number
    after PLANS_KNOWN_FOR. Raises InvalidInput, Plan.DoesNotExist."""
    terms = _checked(terms)
    with enter_public(), transaction.atomic():
        plan = Plan.objects.select_for_update(no_key=True).get(pk=code)
        changes = {
            field: [getattr(plan, field), value]
            for field, value in asdict(terms).items()
            if getattr(plan, field) != value
        }
        if not changes:
            return plan
        for field, (_, value) in changes.items():
            setattr(plan, field, value)
        plan.save(update_fields=list(changes))
        _record(plan, "plan.change", actor=actor, now=now, changes=changes)
    return plan


def remove_plan(*, code: str, actor: Actor, now: datetime) -> None:
    """Remove a plan with its limits. Raises BuiltInPlan, Plan.DoesNotExist, and what those raise who need the plan
    (PlanInUse while a workspace is on it)."""
    with enter_public(), transaction.atomic():
        plan = Plan.objects.select_for_update().get(pk=code)
        if code in PLANS:
            raise BuiltInPlan
        plan_removed.send(sender=Plan, plan_code=code)
        _record(plan, "plan.remove", actor=actor, now=now, changes={})
        plan.delete()


def keep_plan(code: str) -> bool:
    """Whether there is such a plan; when there is, it isn't removed before the transaction ends."""
    return Plan.objects.select_for_update(no_key=True).filter(pk=code).first() is not None


def _checked(terms: PlanTerms) -> PlanTerms:
    """The terms with their texts stripped. Raises InvalidInput with all that is wrong."""
    terms = PlanTerms(terms.name.strip(), terms.description.strip(), terms.position, terms.running_operations)
    errors = [*name_errors(terms.name), *name_errors(terms.description, pointer="/description")]
    if not 0 < len(terms.name) <= _NAME_LONGEST:
        errors.append(FieldError("/name", "invalid_length", f"Give it a name of 1 to {_NAME_LONGEST} characters."))
    if len(terms.description) > _DESCRIPTION_LONGEST:
        errors.append(
            FieldError("/description", "too_long", f"A description has {_DESCRIPTION_LONGEST} characters at most.")
        )
    if not 0 <= terms.position <= _LARGEST:
        errors.append(FieldError("/position", "out_of_range", f"Send a whole number from 0 to {_LARGEST:,}."))
    if terms.running_operations is not None and not 1 <= terms.running_operations <= _LARGEST:
        detail = f"Send a whole number from 1 to {_LARGEST:,}, or leave it empty for the platform's number."
        errors.append(FieldError("/running_operations", "out_of_range", detail))
    if errors:
        raise InvalidInput(errors=errors)
    return terms


def _record(plan: Plan, action: str, *, actor: Actor, now: datetime, changes: dict[str, list[object]]) -> None:
    record_act(
        actor=actor, action=action, target=Target(kind="plan", id=plan.pk, name=plan.name), now=now, changes=changes
    )
    transaction.on_commit(forget_running_limits)
