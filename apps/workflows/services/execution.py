"""Executes a plan here and now. Touches neither the database nor the clock on the wall: what happened is returned."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.common.errors import AppRunError
from apps.common.expressions import EvaluationFailed, Scope, plain, weight
from apps.workflows.definitions import Plan, PlannedStep, StepCall
from apps.workflows.definitions.grammar import MAX_ITEMS
from apps.workflows.definitions.templates import evaluate
from apps.workflows.errors import StepFailed
from apps.workflows.states import RunStatus, StepStatus

MAX_RUN_BYTES = 8_388_608
"""What all steps of a run may yield together, as JSON, roughly."""

_ERRORS = frozenset({"errors"})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step or a run gave nothing: a stable code, a sentence, and the step."""

    code: str
    detail: str
    step: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "detail": self.detail, "step": self.step}


@dataclass(frozen=True, slots=True)
class StepResult:
    """One attempt at one step."""

    step: str
    attempt: int
    status: StepStatus
    input: Any
    output: Any
    error: Failure | None
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to. ``outputs`` is ``None`` when it failed."""

    status: RunStatus
    steps: tuple[StepResult, ...]
    outputs: dict[str, Any] | None
    error: Failure | None
    started_at: datetime
    finished_at: datetime

    @property
    def succeeded(self) -> bool:
        return self.status == RunStatus.SUCCEEDED


def execute(
    plan: Plan,
    inputs: Mapping[str, Any],
    *,
    now: datetime,
    budget: float,
    wait: Callable[[float], None] = time.sleep,
) -> RunResult:
    """Run all steps of ``plan`` in order, at most ``budget`` seconds, and evaluate its outputs.

    ``inputs`` are already coerced to their schema. ``now`` is the time that expressions see and that step times start
    from. Nothing that a definition or its inputs do raises: a failure is in the result, with a code.
    """
    return _Execution(plan, now=now, budget=budget, wait=wait).run(inputs)


class _Execution:
    """One run, while it lasts."""

    def __init__(self, plan: Plan, *, now: datetime, budget: float, wait: Callable[[float], None]) -> None:
        self.plan = plan
        self.now = now
        self.wait = wait
        self.budget = budget
        self.started = time.monotonic()
        self.deadline = self.started + budget
        self.results: list[StepResult] = []
        self.gathered = 0
        self.scope = Scope({}, now=now)

    def run(self, inputs: Mapping[str, Any]) -> RunResult:
        try:
            self.scope = self._scope({"inputs": plain(dict(inputs)), "steps": {}, "errors": {}}, self.deadline)
            for step in self.plan.steps:
                failure = self._run_step(step)
                if failure is not None:
                    return self._result(RunStatus.FAILED, error=failure)
            outputs = plain(evaluate(self.plan.outputs, self.scope))
        except EvaluationFailed as error:
            return self._result(RunStatus.FAILED, error=Failure(error.code, error.detail))
        if not isinstance(outputs, dict):
            failure = Failure("wrong_type", "The outputs of a workflow must be a map.")
            return self._result(RunStatus.FAILED, error=failure)
        return self._result(RunStatus.SUCCEEDED, outputs=outputs)

    def _run_step(self, step: PlannedStep) -> Failure | None:
        """Run one step with all its attempts; returns why the whole run must end, if it must."""
        for attempt in range(1, step.attempts + 1):
            started_at = self._time()
            try:
                recorded, value, status = self._attempt(step)
                self._gather(value)
            except (EvaluationFailed, StepFailed) as error:
                failure = self._failure(step, error)
                self._record(step, attempt, StepStatus.FAILED, None, None, started_at, failure)
                if self._may_try_again(step, attempt, error):
                    self.wait(_pause(step, attempt))
                    continue
                if not step.continues_on_error or failure.code == "run_too_long":
                    return failure
                self.scope.extend("steps", step.id, None)
                self.scope.extend("errors", step.id, {"code": failure.code, "detail": failure.detail})
                return None
            self._record(step, attempt, status, recorded, value, started_at)
            self.scope.extend("steps", step.id, value)
            return None
        return None

    def _attempt(self, step: PlannedStep) -> tuple[Any, Any, StepStatus]:
        """What to record of its input, its value, and whether it was skipped."""
        deadline = self._deadline_of(step)
        scope = self.scope if deadline == self.deadline else self._scope(self.scope.variables, deadline)
        _require_time(deadline)
        if step.when is not None and not _truth(evaluate(step.when, scope)):
            return None, None, StepStatus.SKIPPED
        if step.foreach is None:
            fields = evaluate(step.fields, scope)
            value = plain(step.kind.run(StepCall(step.id, fields, self.now, deadline)))
            return fields if step.kind.records_input else None, value, StepStatus.SUCCEEDED
        items = _items(evaluate(step.foreach, scope))
        values = self._loop(step, items, deadline)
        return items if step.kind.records_input else None, plain(values), StepStatus.SUCCEEDED

    def _loop(self, step: PlannedStep, items: list[Any], deadline: float) -> list[Any]:
        scope = self._scope(self.scope.variables, deadline)
        values = []
        for index, item in enumerate(items):
            _require_time(deadline)
            scope.assign("item", item)
            scope.assign("index", index)
            try:
                fields = evaluate(step.fields, scope)
                values.append(step.kind.run(StepCall(step.id, fields, self.now, deadline)))
            except (EvaluationFailed, StepFailed) as error:
                detail = f"At item {index}: {error.detail}"
                raise StepFailed(detail, code=error.code, retryable=getattr(error, "retryable", False)) from None
        return values

    def _scope(self, variables: Mapping[str, Any], deadline: float) -> Scope:
        return Scope(variables, now=self.now, deadline=deadline, null_if_missing=_ERRORS)

    def _deadline_of(self, step: PlannedStep) -> float:
        if step.timeout_seconds is None:
            return self.deadline
        return min(self.deadline, time.monotonic() + step.timeout_seconds)

    def _failure(self, step: PlannedStep, error: AppRunError) -> Failure:
        if error.code != "run_too_long":
            return Failure(error.code, error.detail, step.id)
        if time.monotonic() < self.deadline:
            return Failure("step_timed_out", f"The step took longer than {step.timeout_seconds:g} s.", step.id)
        return Failure("run_too_long", f"The run took longer than {self.budget:g} s.", step.id)

    def _may_try_again(self, step: PlannedStep, attempt: int, error: AppRunError) -> bool:
        """What would fail again the same way isn't tried again, nor what there is no time for."""
        if attempt >= step.attempts or not getattr(error, "retryable", False):
            return False
        return time.monotonic() + _pause(step, attempt) < self.deadline

    def _gather(self, value: Any) -> None:
        self.gathered += weight(value)
        if self.gathered > MAX_RUN_BYTES:
            detail = f"The steps of a run may yield about {MAX_RUN_BYTES // 1_048_576} MB together."
            raise StepFailed(detail, code="value_too_large")

    def _record(
        self,
        step: PlannedStep,
        attempt: int,
        status: StepStatus,
        recorded: Any,
        value: Any,
        started_at: datetime,
        failure: Failure | None = None,
    ) -> None:
        self.results.append(StepResult(step.id, attempt, status, recorded, value, failure, started_at, self._time()))

    def _result(
        self, status: RunStatus, *, outputs: dict[str, Any] | None = None, error: Failure | None = None
    ) -> RunResult:
        return RunResult(status, tuple(self.results), outputs, error, self.now, self._time())

    def _time(self) -> datetime:
        return self.now + timedelta(seconds=time.monotonic() - self.started)


def _pause(step: PlannedStep, attempt: int) -> float:
    """Seconds before the attempt after ``attempt``: each time twice as long."""
    return step.backoff_seconds * float(2 ** (attempt - 1))


def _require_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise StepFailed("There was no time left to finish this.", code="run_too_long")


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise StepFailed("when must give true or false.", code="wrong_type")


def _items(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise StepFailed("foreach must give a list.", code="wrong_type")
    if len(value) > MAX_ITEMS:
        raise StepFailed(f"foreach runs at most {MAX_ITEMS:,} items.", code="value_too_large")
    return value
