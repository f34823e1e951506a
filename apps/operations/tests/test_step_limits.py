"""Steps that take too long, need too much memory, or are in the hand of a worker that has to stop."""

from __future__ import annotations

import signal
import time
from datetime import timedelta
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


def test_step_that_keeps_the_interpreter_is_ended_with_its_process(worker_process: StartWorker) -> None:
    """No thread of Python's can end it, and no heartbeat extends its lease."""
    worker = worker_process(include=PROBE, pool="prefork", **SHORT)
    operation = ask(way="keeps the interpreter")
    assert wait_for(lambda: read(operation).status == "running"), worker.read_log()
    process = psutil.Process(int(operation.lease_owner.rpartition(":")[2]))
    assert wait_for(lambda: not process.is_running(), seconds=15), worker.read_log()
    Operation.objects.filter(pk=operation.pk).update(lease_until=timezone.now() - timedelta(seconds=1), failures=4)
    sweep_operations(now=timezone.now())
    assert (read(operation).status, (operation.error or {})["code"]) == ("failed", "worker_lost")
    quick = ask("probe.work")
    assert wait_for(lambda: read(quick).status == "succeeded"), worker.read_log()


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


def test_stopping_worker_finishes_the_step_in_hand_and_hands_the_rest_on(worker_process: StartWorker) -> None:
    worker = worker_process(include=PROBE, pool="prefork", WORKER_STOP_GRACE="10")
    operation = ask("probe.work", second="sleep", seconds=1.5)
    assert wait_for(lambda: read(operation).current_step == "second"), worker.read_log()
    worker.process.send_signal(signal.SIGTERM)
    assert wait_for(lambda: worker.process.poll() is not None), worker.read_log()
    assert (read(operation).status, operation.failures) == ("queued", 0)
    assert [record["name"] for record in operation.steps if record["done_at"]] == ["first", "second"]
    another = worker_process(include=PROBE)
    assert wait_for(lambda: read(operation).status == "succeeded"), another.read_log()
    assert probe.effects() == ["first", "second", "third"]


def test_stopping_worker_hands_back_a_step_that_it_can_not_finish(worker_process: StartWorker) -> None:
    worker = worker_process(include=PROBE, pool="prefork", WORKER_STOP_GRACE="1")
    operation = ask("probe.work", second="sleep", seconds=30)
    assert wait_for(lambda: read(operation).current_step == "second"), worker.read_log()
    began = time.monotonic()
    worker.process.send_signal(signal.SIGTERM)
    assert wait_for(lambda: worker.process.poll() is not None), worker.read_log()
    assert time.monotonic() - began < 8
    assert (read(operation).status, operation.failures) == ("queued", 0)
    assert operation.message == "Handed back by a worker that was stopped."


def programs_of(worker: WorkerProcess) -> list[str]:
    """What the worker's processes have started and not ended."""
    children = psutil.Process(worker.pid).children(recursive=True)
    return [" ".join(child.cmdline()) for child in children if "celery" not in " ".join(child.cmdline())]
