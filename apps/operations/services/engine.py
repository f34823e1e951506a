"""Carrying operations out: claim, run the steps that are not done yet, record each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction

from apps.common.constraints import violated_constraint
from apps.common.tenancy import enter_public
from apps.operations.errors import LeaseLost
from apps.operations.models import Operation
from apps.operations.services import outcomes
from apps.operations.services.contexts import context_of
from apps.operations.services.kinds import Kind, Step, StepContext, find_kind
from apps.operations.services.leases import Lease
from apps.operations.states import OperationStatus

log = structlog.get_logger(__name__)

#: How long an operation rests that this worker can't carry out, so that one of the right release takes it.
_HAND_BACK = timedelta(seconds=15)
#: How long one rests whose target is busy, should the wake-up at the other's end be lost.
_BUSY = timedelta(seconds=15)


def run_operation(*, operation_id: UUID, owner: str, clock: Callable[[], datetime]) -> None:
    """Carry the operation out from its first step that isn't recorded; nothing when it isn't due or another has it.

    A worker that dies at any line leaves a lease that runs out; whoever goes on then finds the steps that were done.
    """
    with enter_public():
        operation = claim_operation(operation_id=operation_id, owner=owner, now=clock())
        if operation is None:
            return
        kind = find_kind(operation.kind)
        assert kind is not None, "claimed, so known"
        try:
            with Lease(operation_id=operation.pk, attempt=operation.attempt, clock=clock) as lease:
                _run_steps(operation, kind, lease, clock)
        except LeaseLost as lost:
            log.warning("lease_lost", detail=str(lost))


def claim_operation(*, operation_id: UUID, owner: str, now: datetime) -> Operation | None:
    """The operation, running and held by ``owner``; None when it isn't due, its target is busy, or this release
    doesn't know its kind or one of its steps (then it is handed back for a worker that does)."""
    with transaction.atomic():
        operation = Operation.objects.due(now).select_for_update(skip_locked=True).filter(pk=operation_id).first()
        if operation is None:
            return None
        if not _is_known(operation):
            log.warning("operation_handed_back", operation=str(operation.pk), kind=operation.kind)
            _rest(operation, _HAND_BACK, "Waiting for a worker that knows this kind of work.", now=now)
            return None
        try:
            with transaction.atomic():
                operation.move_to(
                    OperationStatus.RUNNING,
                    attempt=operation.attempt + 1,
                    lease_owner=owner,
                    lease_until=now + settings.OPERATION_LEASE,
                    started_at=operation.started_at or now,
                    waits_for_target=False,
                )
        except IntegrityError as error:
            if violated_constraint(error) != "one_running_operation_per_target":
                raise
            _rest(operation, _BUSY, "Waiting for another operation on the same target.", now=now, busy=True)
            return None
    claimed: Operation = operation
    return claimed


def _is_known(operation: Operation) -> bool:
    kind = find_kind(operation.kind)
    return kind is not None and {record["name"] for record in operation.steps} <= kind.steps().keys()


def _rest(operation: Operation, pause: timedelta, message: str, *, now: datetime, busy: bool = False) -> None:
    Operation.objects.filter(pk=operation.pk, status=OperationStatus.QUEUED).update(
        next_attempt_at=now + pause, message=message, waits_for_target=busy
    )


def _run_steps(operation: Operation, kind: Kind, lease: Lease, clock: Callable[[], datetime]) -> None:
    steps = kind.steps()
    result: Any = None
    for index, record in enumerate(operation.steps):
        if record["done_at"]:
            result = record["result"]
            continue
        step = steps[record["name"]]
        lease.require()
        if not _begin(operation, index, step):
            outcomes.stop(operation, now=clock())
            return
        try:
            result = step.run(_context(operation, lease, clock))
        except LeaseLost:
            raise
        except Exception as error:
            failure = outcomes.explain_failure(error, step=step.name)
            log.warning(
                "step_failed",
                operation=str(operation.pk),
                step=step.name,
                code=failure.code,
                exc_info=not failure.is_final,
            )
            outcomes.fail(operation, failure, step=step.name, now=clock())
            return
        _record(operation, index, result, now=clock())
    outcomes.finish(operation, result=result, now=clock())


def _begin(operation: Operation, index: int, step: Step) -> bool:
    """Write down that the step begins; False when the operation is to be canceled instead. Raises LeaseLost.

    One UPDATE that names both conditions: who cancels at the same moment is either seen here or finds a step that
    can't be undone.
    """
    held = Operation.objects.held_by(operation.pk, operation.attempt)
    begun = held.filter(cancel_requested=False).update(
        current_step=step.name, message=step.message, progress=_percent(operation, index)
    )
    if not begun and not held.exists():
        raise LeaseLost(f"operation {operation.pk}, attempt {operation.attempt}")
    return bool(begun)


def _record(operation: Operation, index: int, result: Any, *, now: datetime) -> None:
    """Write down that the step is done. Raises LeaseLost: then whoever holds the operation does it once more."""
    operation.steps[index] |= {"done_at": now.isoformat(), "result": result}
    held = Operation.objects.held_by(operation.pk, operation.attempt)
    if not held.update(steps=operation.steps, progress=_percent(operation, index + 1)):
        raise LeaseLost(f"operation {operation.pk}, attempt {operation.attempt}")


def _percent(operation: Operation, done: int) -> int:
    return min(99, 100 * done // len(operation.steps))


def _context(operation: Operation, lease: Lease, clock: Callable[[], datetime]) -> StepContext:
    def report(percent: int, sentence: str) -> None:
        lease.require()
        Operation.objects.held_by(operation.pk, operation.attempt).update(
            progress=max(0, min(99, percent)), message=sentence[:300]
        )

    return context_of(operation, clock=clock, report=report, require_lease=lease.require)
