"""Carrying operations out: claim, run the steps that are not done yet, record each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import structlog
from django.db import connection

from apps.common.tenancy import enter_public
from apps.operations.errors import LeaseLost
from apps.operations.models import Operation
from apps.operations.services import outcomes
from apps.operations.services.claims import claim_next, claim_operation
from apps.operations.services.contexts import context_of
from apps.operations.services.kinds import Kind, Step, StepContext, find_kind
from apps.operations.services.leases import Lease
from apps.operations.services.outcomes import Failure
from apps.operations.services.stopping import asked_to_stop
from apps.operations.services.watchdog import StepEnded, Watchdog

log = structlog.get_logger(__name__)

#: In seconds: for how long a process that ends itself waits for the server to take a cancellation.
_CANCEL_PATIENCE = 2.0


def run_next(*, queue: str, owner: str, clock: Callable[[], datetime]) -> None:
    """Carry out the operation of the queue whose turn it is; nothing when none can be taken up now."""
    with enter_public():
        operation = None if asked_to_stop() else claim_next(queue=queue, owner=owner, now=clock())
        if operation is not None:
            _carry_out(operation, clock)


def run_operation(*, operation_id: UUID, owner: str, clock: Callable[[], datetime]) -> None:
    """Carry this operation out from its first step that isn't recorded; nothing when it isn't due or another has it.

    A worker that dies at any line leaves a lease that runs out; whoever goes on then finds the steps that were done.
    """
    with enter_public():
        operation = claim_operation(operation_id=operation_id, owner=owner, now=clock())
        if operation is not None:
            _carry_out(operation, clock)


def _carry_out(operation: Operation, clock: Callable[[], datetime]) -> None:
    kind = find_kind(operation.kind)
    assert kind is not None, "claimed, so known"
    try:
        with Lease(operation_id=operation.pk, attempt=operation.attempt, clock=clock) as lease:
            _run_steps(operation, kind, lease, clock)
    except LeaseLost as lost:
        log.warning("lease_lost", detail=str(lost))


def _run_steps(operation: Operation, kind: Kind, lease: Lease, clock: Callable[[], datetime]) -> None:
    steps = kind.steps()
    begun = operation.step_begun
    result: Any = None
    for index, record in enumerate(operation.steps):
        if record["done_at"]:
            result = record["result"]
            continue
        step = steps[record["name"]]
        lease.require()
        if asked_to_stop():
            outcomes.hand_back(operation, now=clock())
            return
        if step.name == begun:
            begun = ""  # by the claim's own write; what comes behind it begins as usual, on a retry too
        elif not _begin(operation, index, step):
            outcomes.stop(operation, now=clock())
            return
        settle = partial(_settle_ended, operation, step, clock)
        try:
            with Watchdog(step, abandon=partial(_abandon, settle, connection.connection)).watching():
                result = step.run(_context(operation, lease, clock))
        except LeaseLost:
            raise
        except StepEnded as ended:
            settle(ended)
            return
        except Exception as error:
            if asked_to_stop():  # it may be why: the signal came to the step's programs as well
                log.warning("step_failed_while_stopping", operation=str(operation.pk), step=step.name, exc_info=True)
                outcomes.hand_back(operation, now=clock())
                return
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


def _settle_ended(operation: Operation, step: Step, clock: Callable[[], datetime], ended: StepEnded) -> None:
    """A step was ended from outside: a failed attempt, unless it is the worker that had to go. Raises LeaseLost."""
    if connection.connection is not None and not connection.is_usable():
        connection.close()  # it was ended in a statement that the server didn't cancel in time
    if ended.code == "worker_stopping":
        outcomes.hand_back(operation, now=clock())
    else:
        outcomes.fail(operation, Failure(ended.code, ended.detail, is_final=False), step=step.name, now=clock())


def _abandon(settle: Callable[[StepEnded], None], used: psycopg.Connection[Any] | None, ended: StepEnded) -> None:
    """Beside the step, before its process ends itself: write down why, over a connection of this thread, and cancel
    the statement that the step may be waiting for on the one that it used."""
    try:
        with enter_public():
            settle(ended)
        if used is not None:
            used.cancel_safe(timeout=_CANCEL_PATIENCE)
    except LeaseLost as lost:
        log.warning("lease_lost", detail=str(lost))
    finally:
        connection.close()


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
