"""Carrying operations out, in one process."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.common.actors import SYSTEM
from apps.common.errors import IllegalTransition
from apps.operations.errors import LeaseLost, OperationFinished, TooLateToCancel
from apps.operations.models import Operation
from apps.operations.services import outcomes
from apps.operations.services.claims import claim_operation
from apps.operations.services.engine import run_operation
from apps.operations.services.outcomes import back_off
from apps.operations.services.requests import cancel_operation, request_operation, retry_operation
from apps.operations.services.sweep import sweep_operations
from apps.operations.states import OPERATION_TRANSITIONS, OperationStatus
from apps.operations.tests import probe

NOW = datetime(2026, 1, 1, 12, tzinfo=timezone.get_fixed_timezone(0))


@pytest.fixture(autouse=True)
def _table(db: None) -> None:
    probe.make_table()


def ask(*, target: Any = None, now: datetime = NOW, **params: Any) -> Operation:
    return request_operation(kind="probe.work", target_id=target or uuid4(), actor=SYSTEM, now=now, params=params)


def run(operation: Operation, at: datetime = NOW) -> Operation:
    run_operation(operation_id=operation.pk, owner="test", clock=lambda: at)
    operation.refresh_from_db()
    return operation


def test_steps_run_in_order_and_are_recorded() -> None:
    operation = run(ask(target="t"))
    assert operation.status == OperationStatus.SUCCEEDED
    assert probe.effects() == ["first", "second", "third"]
    assert [record["done_at"] is not None for record in operation.steps] == [True, True, True]
    assert operation.result == {"first saw": "t"}
    assert (operation.progress, operation.attempt, operation.finished_at) == (100, 1, NOW)


def test_what_has_ended_is_not_run_again() -> None:
    operation = run(ask())
    run(operation)
    assert probe.effects() == ["first", "second", "third"]


def test_a_part_that_does_not_answer_is_asked_again_from_the_step_that_failed() -> None:
    operation = run(ask(second="unavailable"))
    assert operation.status == OperationStatus.QUEUED
    assert operation.next_attempt_at == NOW + timedelta(seconds=1)
    assert operation.error["detail"] == "The other side does not answer."
    assert run(operation).attempt == 1, "not due yet"
    for second in (1, 2):
        run(operation, NOW + timedelta(seconds=second))
    assert operation.status == OperationStatus.SUCCEEDED
    assert operation.error is None
    assert probe.effects() == ["first", "second", "second", "second", "third"]


def test_what_can_not_succeed_fails_at_once_and_says_why() -> None:
    operation = run(ask(second="refuse"))
    assert operation.status == OperationStatus.FAILED
    assert operation.error == {"code": "name_taken", "detail": "The name is taken on the other side.", "step": "second"}


def test_retry_goes_on_from_the_step_that_failed() -> None:
    operation = run(ask(second="refuse"))
    retry_operation(operation_id=operation.pk, actor=SYSTEM, now=NOW)
    assert run(operation).status == OperationStatus.SUCCEEDED
    assert probe.effects() == ["first", "second", "second", "third"]


def test_only_what_failed_can_be_retried() -> None:
    with pytest.raises(IllegalTransition):
        retry_operation(operation_id=run(ask()).pk, actor=SYSTEM, now=NOW)


def test_surprises_end_as_failed_after_the_last_attempt_without_their_text() -> None:
    operation, at = ask(second="surprise"), NOW
    for _ in range(5):
        run(operation, at)
        at = operation.next_attempt_at
    assert operation.status == OperationStatus.FAILED
    assert operation.error["code"] == "unexpected_error"
    assert "nobody foresaw" not in str(operation.error)


def test_back_off_doubles_up_to_a_limit_and_is_spread() -> None:
    for failures, whole in ((1, 2), (2, 4), (5, 32), (60, 600)):
        pauses = {back_off(failures).total_seconds() for _ in range(50)}
        assert whole / 2 <= min(pauses) <= max(pauses) <= whole
        assert len(pauses) > 1


def test_canceled_while_it_waits() -> None:
    operation = ask()
    cancel_operation(operation_id=operation.pk, actor=SYSTEM, now=NOW)
    assert run(operation).status == OperationStatus.CANCELED
    assert probe.effects() == []


def test_fault_17_cancel_between_steps_stops_before_the_next_and_says_so() -> None:
    operation = ask(second="unavailable")
    run(operation)
    claimed = claim_operation(operation_id=operation.pk, owner="other", now=NOW + timedelta(seconds=2))
    assert claimed is not None
    cancel_operation(operation_id=operation.pk, actor=SYSTEM, now=NOW)
    operation.refresh_from_db()
    assert operation.status == OperationStatus.RUNNING
    Operation.objects.filter(pk=operation.pk).update(lease_until=NOW)
    later = NOW + timedelta(minutes=2)
    sweep_operations(now=later)
    assert run(operation, later).status == OperationStatus.CANCELED
    assert operation.message == "Canceled. The step “second” had failed."
    assert probe.effects() == ["first", "second"]


def test_cancel_after_the_point_of_no_return_is_refused() -> None:
    operation = ask()
    claim_operation(operation_id=operation.pk, owner="other", now=NOW)
    Operation.objects.filter(pk=operation.pk).update(current_step="third")
    with pytest.raises(TooLateToCancel):
        cancel_operation(operation_id=operation.pk, actor=SYSTEM, now=NOW)


def test_what_has_ended_can_not_be_canceled() -> None:
    with pytest.raises(OperationFinished):
        cancel_operation(operation_id=run(ask()).pk, actor=SYSTEM, now=NOW)


def test_one_operation_of_a_group_runs_on_a_target_the_next_waits() -> None:
    first, second = ask(target="same"), ask(target="same")
    assert claim_operation(operation_id=first.pk, owner="one", now=NOW)
    assert claim_operation(operation_id=second.pk, owner="two", now=NOW) is None
    second.refresh_from_db()
    assert (second.status, second.waits_for_target) == ("queued", True)
    assert claim_operation(operation_id=ask(target="other").pk, owner="two", now=NOW)


def test_who_waited_for_the_target_is_due_when_it_is_free() -> None:
    first, second = ask(target="same", second="refuse"), ask(target="same")
    held = claim_operation(operation_id=first.pk, owner="one", now=NOW)
    assert held is not None
    run(second)
    outcomes.finish(held, result=None, now=NOW)
    assert run(second).status == OperationStatus.SUCCEEDED


def test_a_late_answer_of_an_older_attempt_changes_nothing() -> None:
    operation = ask()
    stale = claim_operation(operation_id=operation.pk, owner="slow", now=NOW)
    assert stale is not None
    later = NOW + timedelta(minutes=2)
    sweep_operations(now=later)
    run(operation, later)
    with pytest.raises(LeaseLost):
        outcomes.fail(stale, outcomes.Failure("x", "x", True), step="first", now=later)
    operation.refresh_from_db()
    assert operation.status == OperationStatus.SUCCEEDED


def test_work_that_kills_every_worker_ends_as_failed() -> None:
    operation, at = ask(), NOW
    for _ in range(5):
        assert claim_operation(operation_id=operation.pk, owner="dying", now=at)
        at += timedelta(minutes=2)
        sweep_operations(now=at)
    operation.refresh_from_db()
    assert (operation.status, operation.error["code"]) == ("failed", "worker_lost")


@pytest.mark.parametrize(
    "change", [{"steps": [{"name": "from the next release", "done_at": None, "result": None}]}, {"kind": "next.kind"}]
)
def test_fault_67_operation_of_a_newer_release_is_handed_back(change: dict[str, Any]) -> None:
    operation = ask()
    Operation.objects.filter(pk=operation.pk).update(**change)
    run(operation)
    assert (operation.status, operation.attempt, operation.failures) == ("queued", 0, 0)
    assert operation.next_attempt_at > NOW


def test_transitions_are_total() -> None:
    assert set(OPERATION_TRANSITIONS.table) == set(OperationStatus)
