"""Steps that take too long, need too much memory, or are in the hand of a worker that has to stop."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psutil
import pytest
from django.db import connection
from django.utils import timezone

from apps.common.actors import SYSTEM
from apps.operations.models import Operation
from apps.operations.services.requests import request_operation
from apps.operations.services.sweep import sweep_operations
from apps.operations.tests import probe
from config.testing.processes import StartWorker, WorkerProcess, wait_for

PROBE = "apps.operations.tests.probe"
#: Short limits, for the worker processes of these tests.
SHORT = {"DJANGO_SETTINGS_MODULE": "apps.operations.tests.short_limits"}


def ask(kind: str = "probe.limited", **params: Any) -> Operation:
    return request_operation(kind=kind, target_id=uuid4(), actor=SYSTEM, now=timezone.now(), params=params)


def read(operation: Operation) -> Operation:
    operation.refresh_from_db()
    return operation


@pytest.fixture(autouse=True)
def _table(committed_database: str, django_db_blocker: Any) -> Any:
    with django_db_blocker.unblock():
        probe.make_table()
        yield
        connection.close()


def failed_once(operation: Operation) -> bool:
    return read(operation).failures > 0


@pytest.mark.parametrize("way", ["sleeps", "works", "waits for a program", "swallows errors"])
def test_step_that_takes_too_long_is_ended_and_the_worker_lives(worker_process: StartWorker, way: str) -> None:
    worker = worker_process(include=PROBE, pool="prefork", **SHORT)
    operation = ask(way=way)
    assert wait_for(lambda: failed_once(operation), seconds=15), worker.read_log()
    assert operation.error is not None
    assert operation.error["code"] == "step_timed_out"
    assert operation.status == "queued", "an ordinary failed attempt: it is tried again"
    assert "WorkerLostError" not in worker.read_log()
    assert not programs_of(worker)
    quick = ask("probe.work")
    assert wait_for(lambda: read(quick).status == "succeeded"), worker.read_log()


def test_step_that_does_not_listen_takes_its_process_with_it(worker_process: StartWorker) -> None:
    worker = worker_process(include=PROBE, pool="prefork", **SHORT)
    operation = ask(way="is deaf")
    assert wait_for(lambda: failed_once(operation), seconds=20), worker.read_log()
    assert operation.error is not None
    assert operation.error["code"] == "step_timed_out"
    quick = ask("probe.work")
    assert wait_for(lambda: read(quick).status == "succeeded"), worker.read_log()
    assert worker.process.poll() is None


def test_step_that_keeps_the_interpreter_is_ended_when_its_lease_has_run_out(worker_process: StartWorker) -> None:
    """No thread of Python's can end it, and no heartbeat extends its lease."""
    worker = worker_process(include=PROBE, pool="prefork", **SHORT)
    operation = ask(way="keeps the interpreter")
    assert wait_for(lambda: read(operation).status == "running"), worker.read_log()
    process = int(operation.lease_owner.rpartition(":")[2])
    assert wait_for(lambda: not psutil.pid_exists(process), seconds=15), worker.read_log()
    assert worker.process.poll() is None
    Operation.objects.filter(pk=operation.pk).update(kind="probe.work", steps=[{"name": "first", "done_at": None}])
    assert wait_for(lambda: sweep_operations(now=timezone.now()))
    assert wait_for(lambda: read(operation).status == "succeeded"), worker.read_log()
    assert (operation.attempt, operation.failures) == (2, 1)


def test_process_that_answers_outlives_many_leases(worker_process: StartWorker) -> None:
    """Neither in one long step, nor between steps, nor in what it does afterwards."""
    worker = worker_process(include=PROBE, pool="prefork", DJANGO_SETTINGS_MODULE="apps.operations.tests.short_leases")
    operation = ask("probe.work", second="sleep", seconds=5)
    assert wait_for(lambda: read(operation).status == "succeeded"), worker.read_log()
    assert operation.attempt == 1
    time.sleep(2.5)
    assert "WorkerLostError" not in worker.read_log()
    assert "Timeout" not in worker.read_log()


@pytest.mark.parametrize("way", ["waits for the database", "waits in a transaction", "waits for a server of its own"])
def test_statement_of_a_step_that_takes_too_long_is_canceled(worker_process: StartWorker, way: str) -> None:
    worker = worker_process(include=PROBE, pool="prefork", **SHORT)
    operation = ask(way=way)
    assert wait_for(lambda: probe.running_statements() == 1, seconds=15), worker.read_log()
    assert wait_for(lambda: failed_once(operation), seconds=15), worker.read_log()
    assert operation.error is not None
    assert operation.error["code"] == "step_timed_out"
    assert probe.running_statements() == 0
    assert "WorkerLostError" not in worker.read_log()
    quick = ask("probe.work")
    assert wait_for(lambda: read(quick).status == "succeeded"), worker.read_log()


def test_statement_of_a_step_that_does_not_listen_ends_with_its_process(worker_process: StartWorker) -> None:
    worker = worker_process(include=PROBE, pool="prefork", **SHORT)
    operation = ask(way="is deaf in the database")
    assert wait_for(lambda: failed_once(operation), seconds=20), worker.read_log()
    assert operation.error is not None
    assert operation.error["code"] == "step_timed_out"
    assert wait_for(lambda: probe.running_statements() == 0, seconds=5)


@pytest.mark.parametrize("way", ["hoards", "has a program hoard"])
def test_step_that_needs_too_much_memory_is_ended(worker_process: StartWorker, way: str) -> None:
    worker = worker_process(include=PROBE, pool="prefork", **SHORT)
    operation = ask("probe.hoard", way=way)
    assert wait_for(lambda: failed_once(operation), seconds=30), worker.read_log()
    assert operation.error is not None
    assert operation.error["code"] == "step_out_of_memory"
    assert not programs_of(worker)


def test_step_that_always_takes_too_long_is_not_tried_for_ever(worker_process: StartWorker) -> None:
    worker = worker_process(include=PROBE, pool="prefork", **SHORT)
    operation = ask(way="sleeps")
    Operation.objects.filter(pk=operation.pk).update(failures=4)
    assert wait_for(lambda: read(operation).status == "failed", seconds=15), worker.read_log()
    assert operation.error is not None
    assert "took longer than 1 seconds" in operation.error["detail"]


def stop_alone(worker: WorkerProcess) -> None:
    worker.process.send_signal(signal.SIGTERM)


def stop_all(worker: WorkerProcess) -> None:
    """As systemd does: the worker, its processes and the programs that they started get it at once."""
    os.killpg(worker.pid, signal.SIGTERM)


stopped = pytest.mark.parametrize("stop", [stop_alone, stop_all])


@stopped
def test_stopping_worker_finishes_the_step_in_hand_and_hands_the_rest_on(
    worker_process: StartWorker, stop: Callable[[WorkerProcess], None]
) -> None:
    worker = worker_process(include=PROBE, pool="prefork", WORKER_STOP_GRACE="10")
    operation = ask("probe.work", second="sleep", seconds=1.5)
    assert wait_for(lambda: read(operation).current_step == "second"), worker.read_log()
    stop(worker)
    assert wait_for(lambda: worker.process.poll() is not None), worker.read_log()
    assert (read(operation).status, operation.failures) == ("queued", 0)
    assert [record["name"] for record in operation.steps if record["done_at"]] == ["first", "second"]
    another = worker_process(include=PROBE)
    assert wait_for(lambda: read(operation).status == "succeeded"), another.read_log()
    assert probe.effects() == ["first", "second", "third"]


@stopped
def test_stopping_worker_hands_back_a_step_that_it_can_not_finish(
    worker_process: StartWorker, stop: Callable[[WorkerProcess], None]
) -> None:
    worker = worker_process(include=PROBE, pool="prefork", WORKER_STOP_GRACE="1")
    operation = ask("probe.work", second="sleep", seconds=30)
    assert wait_for(lambda: read(operation).current_step == "second"), worker.read_log()
    stop(worker)
    assert wait_for(lambda: worker.process.poll() is not None), worker.read_log()
    assert (read(operation).status, operation.failures) == ("queued", 0)
    assert operation.message == "Handed back by a worker that was stopped."


def test_step_whose_program_was_ended_with_its_worker_is_handed_back(worker_process: StartWorker) -> None:
    worker = worker_process(include=PROBE, pool="prefork", WORKER_STOP_GRACE="10")
    operation = ask(way="waits for a program")
    assert wait_for(lambda: programs_of(worker)), worker.read_log()
    stop_all(worker)
    assert wait_for(lambda: worker.process.poll() is not None), worker.read_log()
    assert (read(operation).status, operation.failures, operation.error) == ("queued", 0, None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_idle_worker_whose_processes_are_all_told_to_stop_goes_at_once(
    worker_process: StartWorker, number: signal.Signals
) -> None:
    worker = worker_process(include=PROBE, pool="prefork")
    quick = ask("probe.work")
    assert wait_for(lambda: read(quick).status == "succeeded"), worker.read_log()
    os.killpg(worker.pid, number)
    assert wait_for(lambda: worker.process.poll() is not None), worker.read_log()


def programs_of(worker: WorkerProcess) -> list[str]:
    """What the worker's processes have started and not ended."""
    children = psutil.Process(worker.pid).children(recursive=True)
    return [" ".join(child.cmdline()) for child in children if "celery" not in " ".join(child.cmdline())]
