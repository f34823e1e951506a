"""The kinds of steps that there are. Each is registered once, when the process starts (``apps/workflows/kinds.py``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class StepCall:
    """One execution of a step: its fields with every expression evaluated, and the limits to keep."""

    step: str
    fields: Mapping[str, Any]
    now: datetime
    deadline: float
    """A moment of ``time.monotonic()`` by which the step must have ended."""


@dataclass(frozen=True, slots=True)
class StepKind:
    """One kind of step.

    ``properties`` and ``required`` are its own fields as JSON Schema; every ``{"expr": …}`` in them is evaluated before
    ``run`` is called. ``run`` returns the step's value, plain JSON, or raises ``StepFailed``. ``records_input`` says
    whether the evaluated fields are worth keeping with the run.
    """

    name: str
    purpose: str
    properties: Mapping[str, Mapping[str, Any]]
    run: Callable[[StepCall], Any]
    required: Sequence[str] = field(default=())
    records_input: bool = True


class StepKindRegistry:
    """All kinds by name."""

    def __init__(self) -> None:
        self._kinds: dict[str, StepKind] = {}
        self.generation = 0

    def register(self, kind: StepKind) -> None:
        """Add a kind. Raises ValueError for a second one of the same name."""
        if kind.name in self._kinds:
            raise ValueError(f"the step kind {kind.name} is registered twice")
        self._kinds[kind.name] = kind
        self.generation += 1

    def get(self, name: str) -> StepKind | None:
        return self._kinds.get(name)

    def __getitem__(self, name: str) -> StepKind:
        return self._kinds[name]

    def __contains__(self, name: str) -> bool:
        return name in self._kinds

    def all(self) -> list[StepKind]:
        return list(self._kinds.values())


kinds = StepKindRegistry()
register = kinds.register
