"""A workflow ready to run: its steps in order, every expression compiled."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from apps.common.schemas import InputSchema
from apps.workflows.errors import InvalidWorkflow

from .ordering import in_order
from .registry import StepKind, kinds
from .templates import Template, compile_template
from .validation import dependencies, validate_workflow

MAX_CACHED = 1_024


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step, compiled. ``when`` and ``foreach`` are ``None`` where the step has none."""

    id: str
    kind: StepKind
    fields: Template
    when: Template
    foreach: Template
    attempts: int
    backoff_seconds: float
    timeout_seconds: float | None
    continues_on_error: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled workflow. ``input`` is its own schema of inputs, ``None`` where it has none."""

    steps: tuple[PlannedStep, ...]
    outputs: Template
    input: InputSchema | None


def compile_workflow(definition: Any, *, inputs: Mapping[str, Any] | None = None, with_input: bool = True) -> Plan:
    """The plan of ``definition``. Raises ``InvalidWorkflow`` with everything that ``validate_workflow`` finds."""
    errors = validate_workflow(definition, inputs=inputs, with_input=with_input)
    if errors:
        raise InvalidWorkflow(errors=errors)
    by_id = {step["id"]: step for step in definition["steps"]}
    order = in_order(dependencies(definition))
    own_input = definition.get("input")
    return Plan(
        steps=tuple(_planned(by_id[name]) for name in order),
        outputs=compile_template(definition.get("outputs", {})),
        input=None if own_input is None else InputSchema(own_input),
    )


def _planned(step: Mapping[str, Any]) -> PlannedStep:
    kind = kinds[step["kind"]]
    retry = step.get("retry", {})
    return PlannedStep(
        id=step["id"],
        kind=kind,
        fields=compile_template({name: step[name] for name in kind.properties if name in step}),
        when=compile_template(step.get("when")),
        foreach=compile_template(step.get("foreach")),
        attempts=retry.get("attempts", 1),
        backoff_seconds=float(retry.get("backoff_seconds", 0)),
        timeout_seconds=step.get("timeout_seconds"),
        continues_on_error=step.get("on_error") == "continue",
    )


class PlanCache:
    """The plans used last in this process. A key names an immutable definition (a version, a workflow's revision)."""

    def __init__(self, size: int = MAX_CACHED) -> None:
        self._size = size
        self._plans: OrderedDict[Hashable, Plan] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, definition: Any, *, with_input: bool = True) -> Plan:
        """The plan under ``key``, compiled from ``definition`` when it isn't there. Raises ``InvalidWorkflow``."""
        with self._lock:
            plan = self._plans.get(key)
            if plan is not None:
                self._plans.move_to_end(key)
                return plan
        plan = compile_workflow(definition, with_input=with_input)
        with self._lock:
            self._plans[key] = plan
            while len(self._plans) > self._size:
                self._plans.popitem(last=False)
        return plan


plans = PlanCache()
