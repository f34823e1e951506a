"""Rotating the key-encryption key: re-wrapping every stored envelope under the present one.

There is no record of how far it came: what is done is seen in the values themselves, so whoever is stopped, or killed
at any line, is simply started again. A batch is one short transaction over rows that nobody else holds; a row that was
changed or deleted meanwhile is left as it is, and looked at again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import ProgrammingError, transaction

from apps.common.tenancy import SchemaRef, enter
from apps.secrets.errors import KeyMissing, SealBroken
from apps.secrets.services.envelopes import key_of, rewrap_value
from apps.secrets.services.fields import SealedField
from apps.secrets.services.keys import active_key_id

#: How often a field is gone through again for rows that were in other hands.
_ROUNDS = 3


@dataclass(slots=True)
class FieldState:
    """How many envelopes of a field are under each key, and the rows that hold what is none."""

    under: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Tally:
    """``in_other_hands`` is of the present round, ``rewrapped`` of all."""

    rewrapped: int = 0
    in_other_hands: int = 0


def survey_field(sealed: SealedField) -> FieldState:
    """Which keys the stored values of a field need. Reads only, opens nothing."""
    state = FieldState()

    def note(envelope: str, *, model: str, key: str, field: str) -> str:
        state.under[key_of(envelope)] += 1
        return envelope

    def look(batch: list[tuple[Any, Any]], schema: str) -> None:
        for pk, stored in batch:
            try:
                sealed.visit(stored, str(pk), note)
            except SealBroken as error:
                state.broken.append(f"{sealed} of row {pk} in {schema}: {error}")

    _go_through(sealed, look)
    return state


def rotate_field(sealed: SealedField, *, report: Callable[[int], None] | None = None) -> int:
    """Bring every value of a field under the present key-encryption key; returns how many were re-wrapped.

    ``report`` is called after each batch with the number so far. Values whose key is missing, and what is no envelope,
    stay as they are: ``survey_field`` tells of them. Raises ImproperlyConfigured when there is no key.
    """
    tally = _Tally()

    def rewrap(batch: list[tuple[Any, Any]], schema: str) -> None:
        _rewrap_batch(sealed, batch, tally)
        if report is not None:
            report(tally.rewrapped)

    for _ in range(_ROUNDS):
        tally.in_other_hands = 0
        _go_through(sealed, rewrap, but_under=active_key_id())
        if not tally.in_other_hands:
            break
    return tally.rewrapped


def _go_through(
    sealed: SealedField, look: Callable[[list[tuple[Any, Any]], str], None], *, but_under: str | None = None
) -> None:
    for schema in sealed.schemas:
        try:
            with enter(SchemaRef(schema)):
                for batch in sealed.batches(but_under=but_under):
                    look(batch, schema)
        except ProgrammingError:
            # A workspace that was purged while we were at it has no tables any more; anything else is a fault.
            if schema in sealed.schemas:
                raise


def _rewrap_batch(sealed: SealedField, batch: list[tuple[Any, Any]], tally: _Tally) -> None:
    changes = {}
    for pk, stored in batch:
        try:
            rewrapped = sealed.visit(stored, str(pk), rewrap_value)
        except (KeyMissing, SealBroken):
            continue
        if rewrapped != stored:
            changes[pk] = (stored, rewrapped)
    if not changes:
        return
    with transaction.atomic():
        free = sealed.rows.filter(pk__in=changes).order_by("pk").select_for_update(skip_locked=True, no_key=True)
        present = dict(free.values_list("pk", sealed.column))
        for pk, (stored, rewrapped) in changes.items():
            if pk in present and present[pk] == stored:
                sealed.rows.filter(pk=pk).update(**{sealed.column: rewrapped})
                tally.rewrapped += 1
            else:
                tally.in_other_hands += 1
