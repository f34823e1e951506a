"""Asking for slow work, giving it up, trying it again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.audit.services import Target, record_act
from apps.common.actors import Actor
from apps.common.queue import enqueue
from apps.common.tenancy import enter_public
from apps.operations.errors import OperationFinished, OperationNotFound, TooLateToCancel
from apps.operations.models import Operation
from apps.operations.services.contexts import context_of
from apps.operations.services.kinds import Hook, find_kind, require_kind
from apps.operations.services.limits import running_limit
from apps.operations.services.tallies import count_outcome
from apps.operations.states import PENDING, OperationStatus, Outcome


def request_operation(
    *,
    kind: str,
    target_id: UUID | str,
    actor: Actor,
    now: datetime,
    workspace_id: UUID | None = None,
    params: Mapping[str, Any] | None = None,
    priority: int = 0,
    not_before: datetime | None = None,
) -> Operation:
    """Write down slow work in the present transaction; a worker takes it up after the commit.

    ``params`` holds ids only. Raises ValueError for a kind that nobody registered.
    """
    definition = require_kind(kind)
    with enter_public():
        operation: Operation = Operation.objects.create(
            kind=kind,
            group=definition.group,
            queue=definition.queue,
            workspace_id=workspace_id,
            target_kind=definition.target_kind,
            target_id=str(target_id),
            params=dict(params or {}),
            priority=priority,
            steps=[{"name": name, "done_at": None, "result": None} for name in definition.steps()],
            next_attempt_at=not_before or now,
            waiting_since=not_before or now,
            requested_by=actor.as_json(),
            message="Waiting for a worker.",
        )
        if operation.next_attempt_at <= now and not _others_come_first(operation):
            wake_worker(operation)
    return operation


def _others_come_first(operation: Operation) -> bool:
    """Whether as many of its workspace wait as may run: then each that ends wakes a worker for the next, and a flood
    of one workspace doesn't fill the queue of messages, which other work stands in too."""
    if operation.workspace_id is None:
        return False
    limit = running_limit(operation.workspace_id)
    waiting: int = Operation.objects.waiting_in(operation.queue, operation.workspace_id)[: limit + 1].count()
    return waiting > limit


def find_or_request_operation(
    *,
    kind: str,
    target_id: UUID | str,
    actor: Actor,
    now: datetime,
    workspace_id: UUID | None = None,
    params: Mapping[str, Any] | None = None,
) -> Operation:
    """The pending operation of this kind on this target, else a new one.

    Two callers at the same moment may both get a new one: steps are safe to repeat, and only one runs at a time.
    """
    with enter_public():
        definition = require_kind(kind)
        pending = Operation.objects.pending().on_target(definition.target_kind, target_id).filter(kind=kind).first()
        if pending is not None:
            found: Operation = pending
            return found
        return request_operation(
            kind=kind, target_id=target_id, actor=actor, now=now, workspace_id=workspace_id, params=params
        )


def wake_worker(operation: Operation, *, delay: float = 0) -> None:
    """Send the wake-up for an operation after the commit; losing it costs time only. ``delay`` is in seconds."""
    with enter_public():
        enqueue(
            "operations.run",
            queue=operation.queue,
            delay=delay,
            operation=operation.pk,
            for_queue=operation.queue,
        )


def wake_for_workspace(workspace_id: UUID, *, now: datetime) -> None:
    """Wake a worker of each queue in which something of the workspace is due: one of its operations has ended, and made
    room for the next."""
    for queue in settings.WORKER_QUEUES:
        waiting = Operation.objects.due(now).waiting_in(queue, workspace_id).first()
        if waiting is not None:
            wake_worker(waiting)


def cancel_operation(*, operation_id: UUID, actor: Actor, now: datetime) -> Operation:
    """Give up an operation: at once when it waits, before its next step when it runs.

    Raises OperationNotFound, OperationFinished, or TooLateToCancel when the step that has begun can't be undone.
    """
    with enter_public(), transaction.atomic():
        operation = _lock(operation_id)
        if operation.status not in PENDING:
            raise OperationFinished(f"This operation has {operation.status} already.")
        _require_cancelable(operation)
        if operation.status == OperationStatus.QUEUED:
            operation.move_to(OperationStatus.CANCELED, finished_at=now, message="Canceled before a worker took it up.")
            run_hook(operation, "on_canceled", now=now)
            count_outcome(operation, Outcome.CANCELED)
        elif not operation.cancel_requested:
            operation.cancel_requested = True
            operation.message = "Will stop before the next step."
            operation.save(update_fields=["cancel_requested", "message", "updated_at"])
        _audit(operation, "operation.cancel", actor=actor, now=now)
    return operation


def retry_operation(*, operation_id: UUID, actor: Actor, now: datetime) -> Operation:
    """Try a failed operation again, from the step that failed.

    Raises OperationNotFound, or IllegalTransition when it hasn't failed.
    """
    with enter_public(), transaction.atomic():
        operation = _lock(operation_id)
        operation.move_to(
            OperationStatus.QUEUED,
            failures=0,
            error=None,
            cancel_requested=False,
            next_attempt_at=now,
            waiting_since=now,
            finished_at=None,
            message="Waiting for a worker.",
        )
        run_hook(operation, "on_retried", now=now)
        _audit(operation, "operation.retry", actor=actor, now=now)
        wake_worker(operation)
    return operation


def run_hook(operation: Operation, name: str, *, now: datetime) -> None:
    """Tell the kind that its operation ended or was revived, in the transaction in which it did."""
    kind = find_kind(operation.kind)
    hook: Hook | None = getattr(kind, name) if kind else None
    if hook is not None:
        hook(context_of(operation, clock=lambda: now))


def _require_cancelable(operation: Operation) -> None:
    kind = find_kind(operation.kind)
    if kind is None:
        return
    steps = kind.steps()
    begun = {record["name"] for record in operation.steps if record["done_at"]}
    if operation.status == OperationStatus.RUNNING:
        begun.add(operation.current_step)
    if any(name in steps and not steps[name].cancelable for name in begun):
        raise TooLateToCancel


def _lock(operation_id: UUID) -> Operation:
    found = Operation.objects.select_for_update().filter(pk=operation_id).first()
    if found is None:
        raise OperationNotFound
    operation: Operation = found
    return operation


def _audit(operation: Operation, action: str, *, actor: Actor, now: datetime) -> None:
    record_act(
        actor=actor,
        action=action,
        target=Target(kind="operation", id=str(operation.pk), name=operation.kind),
        now=now,
        changes={"workspace": [None, str(operation.workspace_id)]} if operation.workspace_id else {},
    )
