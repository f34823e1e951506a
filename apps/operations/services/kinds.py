"""The kinds of operations that apps register: named steps, each safe to repeat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from apps.common.actors import Actor


@dataclass(frozen=True, slots=True)
class StepContext:
    """What a step is given.

    ``results`` holds what the steps before it returned, by name. ``clock`` tells the time. ``report(percent,
    sentence)`` shows progress within a long step. ``require_lease()`` raises LeaseLost when another worker has taken
    over, for steps that are about to do something that must not be done by two.
    """

    operation_id: UUID
    workspace_id: UUID | None
    target_id: str
    params: Mapping[str, Any]
    results: Mapping[str, Any]
    attempt: int
    actor: Actor
    clock: Callable[[], datetime]
    report: Callable[[int, str], None]
    require_lease: Callable[[], None]

    @property
    def target(self) -> UUID:
        """The target's id, for kinds whose targets are rows."""
        return UUID(self.target_id)


@dataclass(frozen=True, slots=True)
class Step:
    """One named part of the work.

    ``run`` is called outside any transaction and must be safe to repeat: a worker can die after the effect and before
    the record. What it returns (JSON) is recorded. ``message`` is the sentence that people read while it runs. Once a
    step with ``cancelable=False`` has begun, the operation can't be canceled.

    A step that takes longer than ``time_limit``, or makes the worker and the programs that the step started hold more
    than ``memory_limit`` bytes above what the worker held before, is ended, and its attempt has failed. None stands
    for STEP_TIME_LIMIT and STEP_MEMORY_LIMIT.
    """

    name: str
    run: Callable[[StepContext], Mapping[str, Any] | None]
    message: str
    cancelable: bool = True
    time_limit: timedelta | None = None
    memory_limit: int | None = None


#: Called in the transaction that ends (or revives) an operation, to bring its target in line.
Hook = Callable[[StepContext], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of operation. Kinds of one ``group`` exclude each other on a target; ``queue`` names its workers."""

    name: str
    title: str
    group: str
    target_kind: str
    make_steps: Callable[[], Sequence[Step]]
    queue: str = "default"
    on_failed: Hook | None = None
    on_canceled: Hook | None = None
    on_retried: Hook | None = None

    def steps(self) -> dict[str, Step]:
        """The steps in order, by name."""
        return {step.name: step for step in self.make_steps()}


_kinds: dict[str, Kind] = {}


def register_kind(
    name: str,
    *,
    title: str,
    target_kind: str,
    steps: Sequence[Step] | Callable[[], Sequence[Step]],
    group: str | None = None,
    queue: str = "default",
    on_failed: Hook | None = None,
    on_canceled: Hook | None = None,
    on_retried: Hook | None = None,
) -> Kind:
    """Make a kind known, in ``AppConfig.ready``. ``steps`` may be a function, when they depend on other registries.

    ``queue`` is one of WORKER_QUEUES (a system check compares them). Raises ValueError for a second registration.
    """
    if name in _kinds:
        raise ValueError(f"The kind {name} is registered twice")
    make_steps = steps if callable(steps) else lambda: steps
    _kinds[name] = Kind(
        name=name,
        title=title,
        group=group or name,
        target_kind=target_kind,
        make_steps=make_steps,
        queue=queue,
        on_failed=on_failed,
        on_canceled=on_canceled,
        on_retried=on_retried,
    )
    return _kinds[name]


def registered_kinds() -> list[Kind]:
    """All kinds that this release knows, by name."""
    return sorted(_kinds.values(), key=lambda kind: kind.name)


def find_kind(name: str) -> Kind | None:
    """The kind, or None when this release doesn't know it."""
    return _kinds.get(name)


def require_kind(name: str) -> Kind:
    """The kind; raises ValueError when nobody registered it."""
    kind = _kinds.get(name)
    if kind is None:
        raise ValueError(f"Nobody registered the operation kind {name}")
    return kind
