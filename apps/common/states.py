"""States and the arrows between them."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, ClassVar, Generic, TypeVar, cast

from django.db import models, transaction

from apps.common.errors import Conflict, IllegalTransition

S = TypeVar("S", bound=models.TextChoices)


class Transitions(Generic[S]):
    """A total table: for every state, the states it may be left for. What isn't there is refused.

    Raises ValueError when a state has no row, so that a new state can't be forgotten.
    """

    def __init__(self, states: type[S], table: Mapping[S, Set[S]]) -> None:
        missing = set(states) - set(table)
        if missing:
            raise ValueError(f"{states.__name__}: no row for {sorted(missing)}")
        self.states = states
        self.table = {source: frozenset(targets) for source, targets in table.items()}

    def allows(self, source: str, target: str) -> bool:
        return self.states(target) in self.table[self.states(source)]

    def require(self, source: str, target: str, *, what: str) -> None:
        """Raise IllegalTransition unless ``source → target`` is in the table."""
        if not self.allows(source, target):
            allowed = ", ".join(sorted(self.table[self.states(source)])) or "nothing"
            raise IllegalTransition(f"This {what} is {source}; from there it can become {allowed}, not {target}.")


class StatefulModel(models.Model):
    """A row whose ``status`` is assigned by ``move_to`` alone."""

    transitions: ClassVar[Transitions[Any]]
    status: models.CharField[Any, Any]

    class Meta:
        abstract = True

    def move_to(self, status: str, **changes: Any) -> None:
        """Leave the present state for ``status`` and save it together with ``changes``.

        To be called in a transaction, on a row that was read with ``select_for_update``. The UPDATE itself names the
        state that is left, so even a caller without the lock can't overwrite another's move.

        Raises IllegalTransition for an arrow that isn't in the table, Conflict when the row moved meanwhile.
        """
        if not transaction.get_connection().in_atomic_block:
            raise RuntimeError("move_to needs a transaction, and a row locked in it.")
        source = self.status
        self.transitions.require(source, status, what=str(self._meta.verbose_name))
        for name, value in changes.items():
            setattr(self, name, value)
        stamped = {
            field.attname: field.pre_save(self, add=False)
            for field in self._meta.concrete_fields
            if getattr(field, "auto_now", False)
        }
        moved = (
            cast(Any, type(self)._default_manager)
            .filter(pk=self.pk, status=source)
            .update(status=status, **changes, **stamped)
        )
        if not moved:
            raise Conflict(f"This {self._meta.verbose_name} changed at the same moment. Read it again.")
        self.status = status
