"""Taking operations up: whose turn it is, how many of a workspace may run, and that each is taken by one worker."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction

from apps.common.constraints import violated_constraint
from apps.operations.models import Operation, WorkspaceTurn
from apps.operations.querysets import OperationQuerySet
from apps.operations.selectors.turns import waiting_workspaces
from apps.operations.services.kinds import find_kind
from apps.operations.services.limits import running_limit
from apps.operations.services.quick_claims import claim_at_once
from apps.operations.states import OperationStatus

log = structlog.get_logger(__name__)

#: How long an operation rests that this worker can't carry out, so that one of the right release takes it.
_HAND_BACK = timedelta(seconds=15)
#: How long one rests whose target is busy, should the wake-up at the other's end be lost.
_BUSY = timedelta(seconds=15)
#: How many operations that can't be taken up now are laid aside in one turn of a workspace.
_LAID_ASIDE_MAX = 20


def claim_next(*, queue: str, owner: str, now: datetime) -> Operation | None:
    """The operation of the queue whose turn it is, running and held by ``owner``; None when nothing can be taken up.

    The highest priority first; among equals the workspace with the fewest running, then the one that was served least
    recently: one that asks for ten thousand waits for itself, not the others for it.
    """
    for workspace_id, running in waiting_workspaces(queue=queue, now=now):
        if workspace_id is not None and running >= running_limit(workspace_id):
            continue
        operation = claim_at_once(workspace_id, queue=queue, owner=owner, now=now) or _claim_of(
            workspace_id, queue=queue, owner=owner, now=now
        )
        if operation is not None:
            return operation
    return None


def claim_operation(*, operation_id: UUID, owner: str, now: datetime) -> Operation | None:
    """This operation, running and held by ``owner``; None when it isn't due, its target is busy, its workspace has as
    many running as it may, or this release doesn't know its kind or one of its steps (then it is handed back for a
    worker that does)."""
    asked_for = Operation.objects.due(now).filter(pk=operation_id)
    found = asked_for.first()
    tried = found and _try_first(asked_for, found.workspace_id, owner=owner, now=now)
    return tried if tried and tried.status == OperationStatus.RUNNING else None


def _claim_of(workspace_id: UUID | None, *, queue: str, owner: str, now: datetime) -> Operation | None:
    due = Operation.objects.due(now).filter(queue=queue, workspace_id=workspace_id)
    for _ in range(_LAID_ASIDE_MAX):
        tried = _try_first(due, workspace_id, owner=owner, now=now)
        if tried is None or tried.status == OperationStatus.RUNNING:
            return tried
    return None


def _try_first(
    candidates: OperationQuerySet, workspace_id: UUID | None, *, owner: str, now: datetime
) -> Operation | None:
    """The first of the workspace's candidates: the owner's and running, or still queued and laid aside because it has
    to wait. None when there is none, or the workspace has as many running as it may.

    One transaction of as few statements as can be: somebody waits for its end (bar 12 of the benchmarks).
    """
    operation: Operation | None = None
    try:
        with transaction.atomic():
            if workspace_id is not None:
                _take_turn(workspace_id, now=now)
            operation = candidates.with_running().select_for_update(skip_locked=True, of=("self",)).first()
            if operation is None:
                return None
            if workspace_id is not None and operation.running >= running_limit(workspace_id):  # type: ignore[attr-defined]
                transaction.set_rollback(True)  # it was not served
                return None
            if not _is_known(operation):
                log.warning("operation_handed_back", operation=str(operation.pk), kind=operation.kind)
                _lay_aside(operation, _HAND_BACK, "Waiting for a worker that knows this kind of work.", now=now)
                return operation
            operation.move_to(
                OperationStatus.RUNNING,
                attempt=operation.attempt + 1,
                lease_owner=owner,
                lease_until=now + settings.OPERATION_LEASE,
                started_at=operation.started_at or now,
                waits_for_target=False,
            )
    except IntegrityError as error:
        if operation is None or violated_constraint(error) != "one_running_operation_per_target":
            raise
        _lay_aside(operation, _BUSY, "Waiting for another operation on the same target.", now=now, busy=True)
    return operation


def _take_turn(workspace_id: UUID, *, now: datetime) -> None:
    """Now it is the workspace's turn. Its row stays locked until the transaction ends, so that two workers don't both
    take the last place: whoever waits here counts what is running afterwards. The platform's own work has no limit."""
    WorkspaceTurn.objects.bulk_create(
        [WorkspaceTurn(workspace_id=workspace_id, served_at=now)],
        update_conflicts=True,
        unique_fields=["workspace_id"],
        update_fields=["served_at"],
    )


def _is_known(operation: Operation) -> bool:
    kind = find_kind(operation.kind)
    return kind is not None and {record["name"] for record in operation.steps} <= kind.steps().keys()


def _lay_aside(operation: Operation, pause: timedelta, message: str, *, now: datetime, busy: bool = False) -> None:
    Operation.objects.filter(pk=operation.pk, status=OperationStatus.QUEUED).update(
        next_attempt_at=now + pause, message=message, waits_for_target=busy
    )
