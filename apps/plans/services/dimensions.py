"""Dimensions that operators make: counters, which are reported over the API."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from apps.audit.services import Target, record_act
from apps.common.actors import Actor
from apps.common.errors import FieldError, InvalidInput
from apps.common.names import name_errors
from apps.common.tenancy import enter_public
from apps.plans.models import Dimension
from apps.plans.selectors.dimensions import forget_dimensions
from apps.plans.services.catalogue import BUILT_IN_DIMENSIONS

_CODE = re.compile(r"[a-z][a-z0-9]*(?:[._][a-z0-9]+)*")
_UNIT = re.compile(r"[a-z]+")
_CODE_LONGEST = 60
_NAME_LONGEST = 100
_UNIT_LONGEST = 30


def add_dimension(
    *, code: str, name: str, unit: str, reset: str, on_failure: str, actor: Actor, now: datetime
) -> Dimension:
    """Make a counter, which counts from now on and is unlimited until a plan limits it. Workspaces get their quotas of
    it when they first use it. ``code`` and ``reset`` stay for good. Raises InvalidInput.

    A dimension is never removed: ledgers, which only grow, name it.
    """
    name = name.strip()
    errors = [*_faults(name, unit, on_failure)]
    if not _CODE.fullmatch(code) or len(code) > _CODE_LONGEST:
        detail = f"Use words of lower-case letters and digits with dots between, such as sms.messages; {_CODE_LONGEST} "
        errors.append(FieldError("/code", "invalid_code", f"{detail}characters at most."))
    if reset not in Dimension.Reset.values:
        errors.append(FieldError("/reset", "unknown_reset", f"Choose one of: {', '.join(Dimension.Reset.values)}."))
    if errors:
        raise InvalidInput(errors=errors)
    kept = {"name": name, "unit": unit, "reset": reset, "on_failure": on_failure}
    dimension = Dimension(code=code, kind=Dimension.Kind.COUNTER, **kept)
    with enter_public(), transaction.atomic():
        try:
            with transaction.atomic():
                dimension.save(force_insert=True)
        except IntegrityError:
            raise InvalidInput.at("/code", "taken", "There is a dimension with this code already.") from None
        changes = {field: [None, value] for field, value in kept.items()}
        _record(dimension, "dimension.add", actor=actor, now=now, changes=changes)
    return dimension


def change_dimension(*, code: str, name: str, unit: str, on_failure: str, actor: Actor, now: datetime) -> Dimension:
    """Change what a dimension and its unit are called, and what happens while nobody can count. Amounts stay the
    numbers that they are. The unit of a built-in one is what the platform measures in, and can't be changed.

    Other processes know it after DIMENSIONS_KNOWN_FOR. Raises InvalidInput, Dimension.DoesNotExist.
    """
    name = name.strip()
    if errors := _faults(name, unit, on_failure):
        raise InvalidInput(errors=errors)
    with enter_public(), transaction.atomic():
        dimension = Dimension.objects.select_for_update(no_key=True).get(pk=code)
        if unit != dimension.unit and code in BUILT_IN_DIMENSIONS:
            detail = f"The platform measures this in {dimension.unit}s; the unit can't be another one."
            raise InvalidInput.at("/unit", "built_in_unit", detail)
        wanted = {"name": name, "unit": unit, "on_failure": on_failure}
        changes = {
            field: [getattr(dimension, field), value]
            for field, value in wanted.items()
            if getattr(dimension, field) != value
        }
        if not changes:
            return dimension
        for field, (_, value) in changes.items():
            setattr(dimension, field, value)
        dimension.save(update_fields=list(changes))
        _record(dimension, "dimension.change", actor=actor, now=now, changes=changes)
    return dimension


def _faults(name: str, unit: str, on_failure: str) -> list[FieldError]:
    errors = name_errors(name)
    if not 0 < len(name) <= _NAME_LONGEST:
        errors.append(FieldError("/name", "invalid_length", f"Give it a name of 1 to {_NAME_LONGEST} characters."))
    if not _UNIT.fullmatch(unit) or len(unit) > _UNIT_LONGEST:
        detail = f"Use one word in the singular, in lower-case letters from a to z ({_UNIT_LONGEST} at most): message."
        errors.append(FieldError("/unit", "invalid_unit", detail))
    if on_failure not in Dimension.OnFailure.values:
        detail = f"Choose one of: {', '.join(Dimension.OnFailure.values)}."
        errors.append(FieldError("/on_failure", "unknown_on_failure", detail))
    return errors


def _record(dimension: Dimension, action: str, *, actor: Actor, now: datetime, changes: dict[str, Any]) -> None:
    target = Target(kind="dimension", id=dimension.pk, name=dimension.name)
    record_act(actor=actor, action=action, target=target, now=now, changes=changes)
    transaction.on_commit(forget_dimensions)
