"""Included in a worker: its steps are counted, and it kills itself by SIGKILL where a row says so.

``step_begun`` has a row for each time a step was begun. ``planned_death`` names, for an operation, the step and the
moment at which the worker dies, once: ``before`` and ``after`` the step's run, or the name of one of its points.
Nothing of this is in the product: the steps of every registered kind are wrapped in this process.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pkgutil import resolve_name
from typing import Any
from unittest.mock import patch
from uuid import UUID

from django.db import connection

from apps.operations.services import kinds
from apps.operations.services.kinds import Step, StepContext
from config.testing.scenarios import Point, load_scenarios


def make_tables() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE planned_death (operation uuid PRIMARY KEY, step text, moment text)")
        cursor.execute("CREATE TABLE step_begun (number bigserial, operation uuid, step text, attempt int)")


def plan_death(operation: UUID, *, step: str, moment: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO planned_death VALUES (%s, %s, %s)", [operation, step, moment])


def steps_begun(operation: UUID) -> list[tuple[str, int]]:
    """Each step that was begun, with the attempt in which it was, in that order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT step, attempt FROM step_begun WHERE operation = %s ORDER BY number", [operation])
        return cursor.fetchall()


def wrap_steps() -> None:
    """From now on the steps of this process are counted, and die where they should."""
    scenarios = load_scenarios()
    for kind in kinds.registered_kinds():
        told = scenarios[kind.name].points if kind.name in scenarios else ()
        points = {(point.step, point.name): point for point in told}
        kinds._kinds[kind.name] = replace(kind, make_steps=_wrapping(kind.make_steps, points))


def _wrapping(
    make_steps: Callable[[], Sequence[Step]], points: dict[tuple[str, str], Point]
) -> Callable[[], Sequence[Step]]:
    return lambda: [replace(step, run=_dying(step, points)) for step in make_steps()]


def _dying(step: Step, points: dict[tuple[str, str], Point]) -> Callable[[StepContext], Any]:
    def run(context: StepContext) -> Any:
        moment = _begin(context, step.name)
        if moment == "before":
            _die()
        point = points.get((step.name, moment))
        with nullcontext() if point is None else _dying_at(point):
            result = step.run(context)
        if moment == "after":
            _die()
        return result

    return run


def _begin(context: StepContext, step: str) -> str:
    """Count it; the moment at which this attempt at the step dies, if it does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO step_begun (operation, step, attempt) VALUES (%s, %s, %s)",
            [context.operation_id, step, context.attempt],
        )
        cursor.execute(
            "SELECT moment FROM planned_death WHERE operation = %s AND step = %s", [context.operation_id, step]
        )
        row = cursor.fetchone()
        return row[0] if row and context.attempt == 1 else ""


def _dying_at(point: Point) -> AbstractContextManager[Any]:
    owner, _, name = point.at.rpartition(".")
    holder = resolve_name(owner)
    original, calls = getattr(holder, name), 0

    def called(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == point.call and not point.behind:
            _die()
        result = original(*args, **kwargs)
        if calls == point.call:
            _die()
        return result

    return patch.object(holder, name, called)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
