"""Whose operation is next: limits of running ones, turns, priorities, and a flood of one workspace."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.utils import timezone

from apps.common.actors import SYSTEM
from apps.operations.errors import TooLateToCancel
from apps.operations.models import Operation
from apps.operations.selectors.turns import overdue_operations
from apps.operations.services import limits
from apps.operations.services.claims import claim_next
from apps.operations.services.engine import run_next
from apps.operations.services.outcomes import finish, hand_back
from apps.operations.services.requests import cancel_operation, request_operation
from apps.operations.tests import probe
from config.testing.processes import StartWorker, wait_for

PROBE = "apps.operations.tests.probe"
NOW = timezone.now()
LATER = NOW + timedelta(seconds=1)


def ask(workspace: UUID | None, *, priority: int = 0, **params: Any) -> Operation:
    return request_operation(
        kind="probe.work",
        target_id=uuid4(),
        actor=SYSTEM,
        now=NOW,
        workspace_id=workspace,
        priority=priority,
        params=params,
    )


def claim(queue: str = "default") -> Operation | None:
    return claim_next(queue=queue, owner="test", now=LATER)


def fill(workspace: UUID, count: int) -> None:
    """So many operations at once, as a flood of requests would leave them."""
    sample = ask(workspace)
    rows = [
        Operation(
            kind="probe.work",
            group="probe.work",
            workspace_id=workspace,
            target_kind="probe",
            target_id=str(uuid4()),
            steps=sample.steps,
            next_attempt_at=NOW,
            waiting_since=NOW,
            requested_by=SYSTEM.as_json(),
        )
        for _ in range(count - 1)
    ]
    Operation.objects.bulk_create(rows, batch_size=2000)


@pytest.mark.django_db
def test_workspaces_take_turns() -> None:
    busy, quiet = uuid4(), uuid4()
    for _ in range(3):
        ask(busy)
    ask(quiet)
    order = [claimed.workspace_id for _ in range(4) if (claimed := claim())]
    assert order.index(quiet) <= 1, "the second place at the latest"
    assert order.count(busy) == 3


@pytest.mark.django_db
def test_who_was_served_longest_ago_goes_first() -> None:
    first, second = uuid4(), uuid4()
    ask(first), ask(second), ask(first), ask(second)
    served = []
    for second_later in range(4):
        claimed = claim_next(queue="default", owner="test", now=LATER + timedelta(seconds=second_later))
        assert claimed is not None
        served.append(claimed.workspace_id)
        finish(claimed, result={}, now=LATER)
    assert served in ([first, second, first, second], [second, first, second, first])


@pytest.mark.django_db
def test_higher_priority_goes_first() -> None:
    workspace = uuid4()
    ask(workspace)
    urgent = ask(uuid4(), priority=10)
    claimed = claim()
    assert claimed is not None
    assert claimed.pk == urgent.pk


@pytest.mark.django_db
def test_no_more_run_than_the_limit_allows_and_the_platform_has_none(settings: Any) -> None:
    settings.OPERATION_RUNNING_PER_WORKSPACE = 2
    workspace = uuid4()
    for _ in range(3):
        ask(workspace)
        ask(None)
    claimed = [row.workspace_id for _ in range(7) if (row := claim()) is not None]
    assert claimed.count(workspace) == 2
    assert claimed.count(None) == 3
    running = Operation.objects.filter(workspace_id=workspace, status="running").first()
    assert running is not None
    finish(running, result={}, now=LATER)
    freed = claim()
    assert freed is not None
    assert freed.workspace_id == workspace


@pytest.mark.django_db
def test_a_plan_can_set_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_running_limit", lambda workspace_id: 1)
    workspace = uuid4()
    ask(workspace), ask(workspace)
    assert claim() is not None
    assert claim() is None


@pytest.mark.django_db
def test_queues_have_work_of_their_own() -> None:
    ask(uuid4())
    assert claim("backups") is None
    assert claim("default") is not None


def test_limit_is_exact_when_many_workers_claim_at_once(committed_database: str, settings: Any) -> None:
    settings.OPERATION_RUNNING_PER_WORKSPACE = 3
    workspace = uuid4()
    fill(workspace, 20)
    together = threading.Barrier(8)

    def take(_: int) -> bool:
        try:
            together.wait()
            return claim() is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 3
    assert Operation.objects.filter(status="running").count() == 3


@pytest.mark.django_db
def test_the_sweep_wakes_for_every_workspace_not_for_the_oldest_only() -> None:
    flood, late = uuid4(), uuid4()
    fill(flood, 600)
    one = ask(late)
    found = overdue_operations(now=LATER, each=4, most=500)
    assert one.pk in found
    assert len(found) == 5


@pytest.mark.django_db
def test_a_flood_sends_no_more_messages_than_may_run(
    settings: Any, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OPERATION_RUNNING_PER_WORKSPACE = 4
    workspace = uuid4()
    with django_capture_on_commit_callbacks() as callbacks:
        for _ in range(20):
            ask(workspace)
    assert len(callbacks) == 4
    claimed = claim()
    assert claimed is not None
    with django_capture_on_commit_callbacks() as callbacks:
        finish(claimed, result={}, now=LATER)
    assert len(callbacks) == 1, "each that ends wakes a worker for the next"


def test_fault_64_flood_of_one_workspace_does_not_hold_up_another(
    committed_database: str, worker_process: StartWorker
) -> None:
    probe.make_table()
    flood, other = uuid4(), uuid4()
    fill(flood, 10_000)
    for _ in range(4):
        ask(flood)
    worker = worker_process(include=PROBE)
    began = time.monotonic()
    assert wait_for(lambda: Operation.objects.filter(workspace_id=flood, status="succeeded").exists()), (
        worker.read_log()
    )
    one = ask(other)
    assert wait_for(lambda: Operation.objects.filter(pk=one.pk).exclude(started_at=None).exists()), (
        f"{time.monotonic() - began:.1f} s, {worker.read_log()[-2000:]}"
    )
    assert Operation.objects.filter(workspace_id=flood, status="queued").count() > 9_000


@pytest.mark.django_db
def test_claim_begins_the_next_step_in_the_same_write() -> None:
    """Who cancels right after the claim finds the step begun: one that can't be undone is never raced."""
    operation = ask(uuid4())
    steps = [
        record | ({"done_at": NOW.isoformat(), "result": {}} if record["name"] != "third" else {})
        for record in operation.steps
    ]
    Operation.objects.filter(pk=operation.pk).update(steps=steps, progress=91)
    claimed = claim()
    assert claimed is not None
    operation.refresh_from_db()
    assert (claimed.pk, operation.status, operation.attempt) == (operation.pk, "running", 1)
    begun = (operation.current_step, operation.message, operation.progress)
    assert begun == ("third", "Doing the last thing.", 66)
    assert (claimed.current_step, claimed.steps, claimed.lease_until) == ("third", steps, operation.lease_until)
    with pytest.raises(TooLateToCancel):
        cancel_operation(operation_id=operation.pk, actor=SYSTEM, now=NOW)


@pytest.mark.django_db
def test_what_was_canceled_and_handed_back_begins_no_step() -> None:
    """Its worker had to stop in the step in which somebody canceled it: the next one does no more of it."""
    operation = ask(uuid4())
    first = claim()
    assert first is not None
    cancel_operation(operation_id=operation.pk, actor=SYSTEM, now=NOW)
    hand_back(first, now=NOW)
    run_next(queue="default", owner="next", clock=lambda: NOW)
    operation.refresh_from_db()
    assert (operation.status, operation.message) == ("canceled", "Canceled after 0 of 3 steps.")


@pytest.mark.django_db
def test_unknown_work_in_front_does_not_hold_up_what_is_behind_it() -> None:
    workspace = uuid4()
    newer, known = ask(workspace, priority=1), ask(workspace)
    Operation.objects.filter(pk=newer.pk).update(kind="next.kind")
    claimed = claim()
    assert claimed is not None
    assert claimed.pk == known.pk
    assert claim() is None
    newer.refresh_from_db()
    assert newer.message == "Waiting for a worker that knows this kind of work."


def test_busy_target_leaves_the_turn_to_the_next_one(committed_database: str) -> None:
    workspace = uuid4()
    first, second, third = ask(workspace), ask(workspace), ask(workspace)
    Operation.objects.filter(pk__in=[first.pk, second.pk]).update(target_id="same")
    claimed = [row.pk for _ in range(3) if (row := claim()) is not None]
    assert claimed == [first.pk, third.pk]
    second.refresh_from_db()
    assert (second.status, second.waits_for_target) == ("queued", True)
    connection.close()
