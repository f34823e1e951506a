"""What every kind of operation shows of itself to apps/operations/tests/test_deaths.py, which kills its workers.

Each app has ``tests/scenarios.py`` (or several, ``scenarios_<subject>.py``) with one scenario for each kind that it
registers. A registered kind without one fails that test.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest

from apps.operations.models import Operation
from config.env import ROOT
from config.testing.processes import wait_for


@dataclass(frozen=True, slots=True)
class Point:
    """A line within a step: where the function or method ``at`` is called for the ``call``-th time in it.

    The worker dies instead of that call, or ``behind`` it. ``at`` is the dotted name by which the step's code finds it,
    as for ``unittest.mock.patch``. ``name`` says, for people, how far the step had come.
    """

    step: str
    name: str
    at: str
    call: int = 1
    behind: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scenario plays: a committed database, shared with a real worker and with scenarios before and after.

    ``folder`` is DATA_DIR, here and in the worker. What is entered into ``stack`` is left when the scenario is over.
    """

    folder: Path
    stack: ExitStack


class Scenario:
    """One operation on a real target of its own: how it is asked for, and what must be true when it has succeeded.

    It never knows where the worker dies: whatever it asserts holds for each death. Others have played in the same
    database before, so it counts what belongs to its own target only.
    """

    #: Lines within steps at which a worker is killed as well.
    points: ClassVar[tuple[Point, ...]] = ()

    def __init__(self, place: Place) -> None:
        self.place = place

    def prepare(self) -> None:
        """Make the target, for real and committed; by the services, in this process."""

    def ask(self) -> Any:
        """Return its operation, asked for as users or the schedule ask for it. Called in a transaction: no worker has
        begun when this returns."""
        raise NotImplementedError

    def requested(self, kind: str, target_id: Any) -> Any:
        """The operation of this kind that stands for the target, when its service doesn't return it."""
        return Operation.objects.get(kind=kind, target_id=str(target_id))

    def await_worker(self, operation: Any) -> None:
        """Let the worker carry out what is not what the scenario is about."""
        assert wait_for(lambda: Operation.objects.get(pk=operation.pk).status == "succeeded"), operation

    def check_while_dead(self) -> None:
        """Assert what people rely on while nobody is at it: that the live database serves, that a login works."""

    def check_done(self, operation: Any) -> None:
        """Assert the end: states, each outside effect once, nothing left over that nobody speaks for."""
        raise NotImplementedError


S = TypeVar("S", bound=Scenario)

_scenarios: dict[str, type[Scenario]] = {}


def scenario_of(kind: str) -> Callable[[type[S]], type[S]]:
    """Make a class the scenario of a kind. Raises ValueError for a second one."""

    def register(scenario: type[S]) -> type[S]:
        if kind in _scenarios:
            raise ValueError(f"The kind {kind} has two scenarios")
        _scenarios[kind] = scenario
        return scenario

    return register


def load_scenarios() -> dict[str, type[Scenario]]:
    """The scenarios of all apps, by the kind of operation."""
    found = sorted(ROOT.glob("apps/*/tests/scenarios*.py"))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in found]
    pytest.register_assert_rewrite(*(name for name in names if name not in sys.modules))
    for name in names:
        import_module(name)
    return dict(_scenarios)
