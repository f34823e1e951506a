"""What is done to all operations of a workspace at once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from apps.common.actors import Actor
from apps.operations.errors import OperationFinished, TooLateToCancel
from apps.operations.models import Operation
from apps.operations.services.requests import cancel_operation
from apps.operations.states import FINISHED, OperationStatus


def stop_operations(*, workspace_id: UUID, but: UUID, actor: Actor, now: datetime) -> int:
    """Cancel every pending operation of the workspace except ``but``; returns how many are still running."""
    others = Operation.objects.of_workspace(workspace_id).exclude(pk=but)
    for operation_id in others.pending().filter(cancel_requested=False).values_list("pk", flat=True):
        try:
            cancel_operation(operation_id=operation_id, actor=actor, now=now)
        except (OperationFinished, TooLateToCancel):
            continue  # it ends by itself
    running: int = others.filter(status=OperationStatus.RUNNING).count()
    return running


def forget_operations(*, workspace_id: UUID, but: UUID) -> int:
    """Delete the finished operations of a workspace that is purged, except ``but``, before their time: their errors and
    results may tell of its content. Returns how many."""
    others = Operation.objects.of_workspace(workspace_id).exclude(pk=but).filter(status__in=FINISHED)
    return int(others.delete()[0])
