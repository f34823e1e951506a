"""Every step of every kind of operation, its worker killed by SIGKILL within it (or before it) and behind its effect.

A kind is covered by being registered: it needs a scenario (config/testing/scenarios.py), or this fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import override_settings
from django.utils import timezone

from apps.operations.models import Operation
from apps.operations.services.kinds import registered_kinds
from apps.operations.services.sweep import sweep_operations
from apps.operations.tests import dying, probe
from config.testing.database import committed_clone
from config.testing.processes import WorkerProcess, starting_workers, wait_for
from config.testing.scenarios import Place, Scenario, load_scenarios

SCENARIOS = load_scenarios()
KINDS = {kind.name: kind for kind in registered_kinds() if kind.name in SCENARIOS}
WORKER = "apps.operations.tests.dying_worker"


@dataclass(frozen=True, slots=True)
class Death:
    """Where a worker dies: in which step of which kind, and when."""

    kind: str
    step: str
    moment: str

    def __str__(self) -> str:
        return f"{self.kind}-{self.step}-{self.moment}".replace(" ", "_")


def deaths() -> Iterator[Death]:
    for name, kind in KINDS.items():
        for step in kind.steps():
            points = [point.name for point in SCENARIOS[name].points if point.step == step]
            for moment in (*(points or ["before"]), "after"):
                yield Death(name, step, moment)


@pytest.fixture(scope="module")
def worker(
    django_db_setup: None, django_db_blocker: Any, request: pytest.FixtureRequest, tmp_path_factory: Any
) -> Iterator[WorkerProcess]:
    """One worker for all deaths: each kills the process that carries the work out, and the worker has another one."""
    folder: Path = tmp_path_factory.mktemp("deaths")
    backups = {**settings.STORAGES["backups"]}
    backups["OPTIONS"] = {**backups.get("OPTIONS", {}), "location": str(folder / "backups")}
    own = override_settings(
        DATA_DIR=folder,
        DATABASE_RESTORE_FOLDER=str(folder / "restores"),
        BACKUP_SCRATCH_FOLDER=str(folder / "proofs"),
        STORAGES={**settings.STORAGES, "backups": backups},
    )
    with django_db_blocker.unblock(), own, committed_clone(request.config) as database:
        dying.make_tables()
        probe.make_table()
        with starting_workers(database, folder) as start:
            yield start(include=WORKER, pool="prefork", DATA_DIR=str(folder))
        connection.close()


@pytest.fixture
def place(worker: WorkerProcess) -> Iterator[Place]:
    with ExitStack() as stack:
        yield Place(worker.log.parent, stack)


@pytest.mark.parametrize("kind", [kind.name for kind in registered_kinds() if not kind.name.startswith("probe.")])
def test_fault_14_every_kind_has_a_scenario(kind: str) -> None:
    assert kind in SCENARIOS, f"{kind} needs a scenario in its app's tests: see config/testing/scenarios.py"
    known = {(kind, step) for step in KINDS[kind].steps()}
    assert {(kind, point.step) for point in SCENARIOS[kind].points} <= known


@pytest.mark.parametrize("death", list(deaths()), ids=str)
def test_fault_14_killed_at_a_step_another_process_finishes(worker: WorkerProcess, place: Place, death: Death) -> None:
    scenario, operation = begin(SCENARIOS[death.kind](place), death)
    assert wait_for(lambda: is_dead(operation), seconds=60), (explain(operation), worker.read_log()[-5000:])
    scenario.check_while_dead()
    # What 60 seconds without a heartbeat do:
    Operation.objects.filter(pk=operation.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    sweep_operations(now=timezone.now())
    assert wait_for(lambda: explain(operation)[0] in {"succeeded", "failed"}, seconds=60), (
        explain(operation),
        worker.read_log()[-5000:],
    )
    assert operation.status == "succeeded", (operation.error, worker.read_log()[-5000:])
    assert (operation.attempt, operation.failures) == (2, 1)
    assert dying.steps_begun(operation.pk) == expected_steps(operation, death)
    scenario.check_done(operation)


def begin(scenario: Scenario, death: Death) -> tuple[Scenario, Operation]:
    """Ask for the operation and plan the death, in one transaction: the worker knows of both or of neither."""
    scenario.prepare()
    with transaction.atomic():
        operation = scenario.ask()
        assert operation.kind == death.kind
        dying.plan_death(operation.pk, step=death.step, moment=death.moment)
    return scenario, operation


def is_dead(operation: Operation) -> bool:
    """Whether the process that holds the operation is gone."""
    operation.refresh_from_db()
    assert operation.status not in {"succeeded", "failed", "canceled"}, (operation.status, operation.error)
    return operation.status == "running" and not Path(f"/proc/{operation.lease_owner.rpartition(':')[2]}").exists()


def explain(operation: Operation) -> tuple[Any, ...]:
    operation.refresh_from_db()
    return operation.status, operation.current_step, operation.message, operation.error


def expected_steps(operation: Operation, death: Death) -> list[tuple[str, int]]:
    """What was done before the death isn't done again; the step in hand is begun once more, the rest is done."""
    names = [record["name"] for record in operation.steps]
    fatal = names.index(death.step)
    return [(name, 1) for name in names[: fatal + 1]] + [(name, 2) for name in names[fatal:]]
