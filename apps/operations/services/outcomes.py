"""How an attempt at an operation ends. Each ending is one transaction on the locked row, with the kind's hook in it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from apps.common.errors import AppRunError, RateLimited, Unavailable
from apps.common.tenancy import enter_public
from apps.operations.errors import LeaseLost
from apps.operations.models import Operation
from apps.operations.services.requests import run_hook, wake_for_workspace, wake_worker
from apps.operations.services.tallies import count_outcome
from apps.operations.states import OperationStatus, Outcome

log = structlog.get_logger(__name__)

#: Back-offs up to this long are waited for by a message; longer ones are found by the sweep.
_MESSAGE_DELAY_MAX = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step failed: a code for programs, a sentence for people, and whether trying again can help."""

    code: str
    detail: str
    is_final: bool
    retry_after: timedelta | None = None


def explain_failure(error: Exception, *, step: str) -> Failure:
    """What an exception means. A part that doesn't answer, and whatever nobody foresaw, is worth another try."""
    if isinstance(error, Unavailable | RateLimited):
        return Failure(error.code, error.detail, False, timedelta(seconds=error.retry_after))
    if isinstance(error, AppRunError):
        return Failure(error.code, error.detail, True)
    return Failure("unexpected_error", f"Something unexpected went wrong in the step “{step}”.", False)


def finish(operation: Operation, *, result: Mapping[str, Any] | None, now: datetime) -> None:
    """All steps are done. Raises LeaseLost."""
    with enter_public(), transaction.atomic():
        row = _lock_held(operation)
        row.move_to(
            OperationStatus.SUCCEEDED,
            progress=100,
            message="Done.",
            error=None,
            result=dict(result or {}),
            lease_until=None,
            finished_at=now,
        )
        count_outcome(row, Outcome.SUCCEEDED)
        _wake_those_who_wait(row, now=now)


def stop(operation: Operation, *, now: datetime) -> None:
    """Somebody canceled it, and the next step has not begun. Raises LeaseLost."""
    with enter_public(), transaction.atomic():
        row = _lock_held(operation)
        done = sum(1 for record in row.steps if record["done_at"])
        row.move_to(
            OperationStatus.CANCELED,
            message=f"Canceled after {done} of {len(row.steps)} steps.",
            lease_until=None,
            finished_at=now,
        )
        run_hook(row, "on_canceled", now=now)
        count_outcome(row, Outcome.CANCELED)
        _wake_those_who_wait(row, now=now)


def hand_back(operation: Operation, *, now: datetime) -> None:
    """The worker has to stop: another one goes on at once, and no failure is counted. Raises LeaseLost."""
    with enter_public(), transaction.atomic():
        row = _lock_held(operation)
        row.move_to(
            OperationStatus.QUEUED,
            message="Handed back by a worker that was stopped.",
            lease_until=None,
            next_attempt_at=now,
            waiting_since=now,
        )
        wake_worker(row)


def fail(operation: Operation, failure: Failure, *, step: str, now: datetime) -> None:
    """The attempt failed: tried again later, or failed for good after too many. Raises LeaseLost."""
    with enter_public(), transaction.atomic():
        settle_failure(_lock_held(operation), failure, step=step, now=now)


def settle_failure(row: Operation, failure: Failure, *, step: str, now: datetime) -> None:
    """Move a locked, running operation where its failure leads."""
    failures = row.failures + 1
    error = {"code": failure.code, "detail": failure.detail, "step": step}
    if row.cancel_requested:
        row.move_to(
            OperationStatus.CANCELED,
            message=f"Canceled. The step “{step}” had failed.",
            error=error,
            lease_until=None,
            finished_at=now,
        )
        run_hook(row, "on_canceled", now=now)
        count_outcome(row, Outcome.CANCELED)
    elif failure.is_final or failures >= settings.OPERATION_MAX_ATTEMPTS:
        row.move_to(
            OperationStatus.FAILED,
            failures=failures,
            message=failure.detail[:300],
            error=error,
            lease_until=None,
            finished_at=now,
        )
        run_hook(row, "on_failed", now=now)
        count_outcome(row, Outcome.FAILED)
        log.error("operation_failed", operation=str(row.pk), kind=row.kind, code=failure.code, step=step)
    else:
        pause = back_off(failures) if failure.retry_after is None else failure.retry_after
        row.move_to(
            OperationStatus.QUEUED,
            failures=failures,
            message=f"Trying again in {max(1, round(pause.total_seconds()))} s. {failure.detail}"[:300],
            error=error,
            lease_until=None,
            next_attempt_at=now + pause,
            waiting_since=now + pause,
        )
        count_outcome(row, Outcome.POSTPONED)
        if pause <= _MESSAGE_DELAY_MAX:
            wake_worker(row, delay=pause.total_seconds())
    _wake_those_who_wait(row, now=now)


def back_off(failures: int) -> timedelta:
    """How long to wait after so many failures: doubled each time up to a limit, and spread, so that what failed
    together doesn't come back together."""
    whole: timedelta = min(settings.OPERATION_BACKOFF_BASE * 2 ** min(failures - 1, 20), settings.OPERATION_BACKOFF_MAX)
    return whole * random.uniform(0.5, 1.0)


def _lock_held(operation: Operation) -> Operation:
    row = Operation.objects.held_by(operation.pk, operation.attempt).select_for_update().first()
    if row is None:
        raise LeaseLost(f"operation {operation.pk}, attempt {operation.attempt}")
    held: Operation = row
    return held


def _wake_those_who_wait(row: Operation, *, now: datetime) -> None:
    """Whoever found the target busy, or the workspace at its limit, is looked at again now, not at the next sweep."""
    if row.workspace_id is not None:
        wake_for_workspace(row.workspace_id, now=now)
    waiting = (
        Operation.objects.on_target(row.target_kind, row.target_id)
        .filter(group=row.group, status=OperationStatus.QUEUED)
        .exclude(pk=row.pk)
        .order_by("-priority", "created_at")
        .first()
    )
    if waiting is not None and waiting.waits_for_target:
        Operation.objects.filter(pk=waiting.pk, status=OperationStatus.QUEUED).update(
            next_attempt_at=row.finished_at or waiting.next_attempt_at, waits_for_target=False
        )
        wake_worker(waiting)
