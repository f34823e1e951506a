"""Operations and real worker processes that die."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone
from redis import Redis

from apps.common.actors import SYSTEM
from apps.operations.models import Operation
from apps.operations.services.claims import claim_next, claim_operation
from apps.operations.services.engine import run_operation
from apps.operations.services.requests import request_operation
from apps.operations.services.sweep import sweep_operations
from apps.operations.tests import probe
from config.testing.processes import StartWorker, wait_for

PROBE = "apps.operations.tests.probe"


def ask(**params: Any) -> Operation:
    return request_operation(kind="probe.work", target_id=uuid4(), actor=SYSTEM, now=timezone.now(), params=params)


def status(operation: Operation) -> str:
    operation.refresh_from_db()
    return str(operation.status)


@pytest.fixture(autouse=True)
def _table(committed_database: str, django_db_blocker: Any) -> Any:
    with django_db_blocker.unblock():
        probe.make_table()
        yield
        connection.close()


def test_fault_14_kill_9_in_a_step_goes_on_from_that_step(worker_process: StartWorker) -> None:
    worker = worker_process(include=PROBE)
    operation = ask(second="die")
    assert wait_for(lambda: worker.process.poll() is not None), worker.read_log()
    assert status(operation) == "running"
    assert [record["name"] for record in operation.steps if record["done_at"]] == ["first"]
    second = worker_process(include=PROBE)
    # What 60 seconds without a heartbeat do:
    Operation.objects.filter(pk=operation.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    sweep_operations(now=timezone.now())
    assert wait_for(lambda: status(operation) == "succeeded"), second.read_log()
    assert operation.attempt == 2
    assert probe.effects() == ["first", "second", "second", "third"]


def forget_messages() -> None:
    """Whatever earlier tests left in the queues: any message makes a worker look for whatever is due."""
    redis = Redis.from_url(settings.REDIS_URL)
    for key in redis.scan_iter(f"{settings.REDIS_KEY_PREFIX}*"):
        redis.delete(key)


def test_fault_15_message_lost_is_picked_up_by_the_sweep(worker_process: StartWorker) -> None:
    forget_messages()
    worker = worker_process(include=PROBE)
    operation = Operation.objects.create(
        kind="probe.work",
        group="probe.work",
        target_kind="probe",
        target_id="x",
        steps=[{"name": "first", "done_at": None, "result": None}],
        next_attempt_at=timezone.now() - timedelta(minutes=1),
        requested_by=SYSTEM.as_json(),
    )
    assert not wait_for(lambda: status(operation) != "queued", seconds=1)
    sweep_operations(now=timezone.now())
    assert wait_for(lambda: status(operation) == "succeeded"), worker.read_log()


def test_fault_15_redis_emptied_is_made_good_by_the_sweep(worker_process: StartWorker) -> None:
    """Whatever Redis held of this platform is gone before a worker has seen it."""
    operation = ask()
    redis = Redis.from_url(settings.REDIS_URL)
    keys = list(redis.scan_iter(f"{settings.REDIS_KEY_PREFIX}*"))
    assert f"{settings.REDIS_KEY_PREFIX}default".encode() in keys, "the wake-up was there"
    redis.delete(*keys)
    worker = worker_process(include=PROBE)
    assert not wait_for(lambda: status(operation) != "queued", seconds=1)
    sweep_operations(now=timezone.now() + timedelta(seconds=15))
    assert wait_for(lambda: status(operation) == "succeeded"), worker.read_log()
    assert probe.effects() == ["first", "second", "third"]


@pytest.mark.parametrize("old", ["", "apps.operations.tests.older_release"], ids=["kind unknown", "step unknown"])
def test_fault_67_worker_of_the_old_release_hands_back_and_one_of_the_new_finishes(
    worker_process: StartWorker, old: str
) -> None:
    worker = worker_process(include=old)
    operation = ask()
    handed_back = "Waiting for a worker that knows this kind of work."
    assert wait_for(lambda: status(operation) == "queued" and operation.message == handed_back), worker.read_log()
    assert (operation.attempt, operation.failures, probe.effects()) == (0, 0, [])
    worker.stop()
    newer = worker_process(include=PROBE)
    # What 15 seconds of rest do:
    Operation.objects.filter(pk=operation.pk).update(next_attempt_at=timezone.now() - timedelta(seconds=10))
    sweep_operations(now=timezone.now())
    assert wait_for(lambda: status(operation) == "succeeded"), newer.read_log()
    assert (operation.attempt, probe.effects()) == (1, ["first", "second", "third"])


def by_its_id(operation: Operation, owner: str) -> Operation | None:
    return claim_operation(operation_id=operation.pk, owner=owner, now=timezone.now())


def by_its_turn(operation: Operation, owner: str) -> Operation | None:
    return claim_next(queue=operation.queue, owner=owner, now=timezone.now())


@pytest.mark.parametrize("way", [by_its_id, by_its_turn])
@pytest.mark.parametrize("workspace", [None, uuid4()], ids=["of the platform", "of a workspace"])
def test_fault_16_two_claim_the_same_one_one_wins(
    way: Callable[[Operation, str], Operation | None], workspace: UUID | None
) -> None:
    operation = request_operation(
        kind="probe.work", target_id=uuid4(), workspace_id=workspace, actor=SYSTEM, now=timezone.now()
    )
    together = threading.Barrier(8)

    def claim(owner: int) -> bool:
        try:
            together.wait()
            return way(operation, str(owner)) is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, range(8))) == 1
    assert status(operation) == "running"
    assert operation.attempt == 1


def test_heartbeat_extends_the_lease_of_a_long_step(settings: Any) -> None:
    settings.OPERATION_HEARTBEAT = timedelta(seconds=0.1)
    operation = ask(second="sleep", seconds=1.5)
    leases: list[datetime] = []

    def watch() -> None:
        in_step = Operation.objects.filter(pk=operation.pk, status="running", current_step="second")
        wait_for(in_step.exists)
        while (lease := in_step.values_list("lease_until", flat=True).first()) is not None:
            leases.append(lease)
            time.sleep(0.05)
        connection.close()

    watcher = threading.Thread(target=watch)
    watcher.start()
    run_operation(operation_id=operation.pk, owner="test", clock=timezone.now)
    watcher.join()
    assert status(operation) == "succeeded"
    assert leases == sorted(leases)
    assert len(set(leases)) >= 3, leases


def test_worker_whose_operation_was_taken_over_records_nothing(settings: Any) -> None:
    settings.OPERATION_HEARTBEAT = timedelta(seconds=0.1)
    operation = ask(second="sleep", seconds=1)

    def take_over() -> None:
        wait_for(lambda: Operation.objects.filter(pk=operation.pk, current_step="second").exists())
        Operation.objects.filter(pk=operation.pk).update(attempt=99, lease_owner="another")
        connection.close()

    rival = threading.Thread(target=take_over)
    rival.start()
    run_operation(operation_id=operation.pk, owner="slow", clock=timezone.now)
    rival.join()
    assert (status(operation), operation.attempt) == ("running", 99)
    assert [record["name"] for record in operation.steps if record["done_at"]] == ["first"]
    assert "third" not in probe.effects()


def connections_of(service: str) -> list[int]:
    """The server's processes for the worker that calls itself so."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()", [service]
        )
        return [row[0] for row in cursor.fetchall()]


def test_worker_keeps_its_connection_and_replaces_one_that_died(worker_process: StartWorker) -> None:
    service = f"probe-{uuid4().hex[:8]}"
    worker = worker_process(include=PROBE, SERVICE_NAME=service)
    kept = []
    for _ in range(2):
        operation = ask()
        assert wait_for(lambda: status(operation) == "succeeded"), worker.read_log()  # noqa: B023 - called in the loop
        kept.append(connections_of(service))
    assert len(kept[0]) == 1, "one process, one connection"
    assert kept[0] == kept[1], "the second task has the first one's"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", kept[0])
    operation = ask()
    # Sooner than a sweep would find it: the task itself came through.
    assert wait_for(lambda: status(operation) == "succeeded", seconds=10), worker.read_log()
    assert operation.attempt == 1
    assert connections_of(service) not in ([], kept[0])
