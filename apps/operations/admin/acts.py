"""What can be done to an operation in the consoles."""

from __future__ import annotations

from apps.common.admin import Act, ActContext
from apps.operations.services.requests import cancel_operation, retry_operation
from apps.operations.services.rights import MANAGE, require_right
from apps.operations.states import OperationStatus


def _cancel(context: ActContext) -> str:
    _require_right(context)
    cancel_operation(operation_id=context.row.pk, actor=context.actor, now=context.now)
    return f"{context.row} is being cancelled: at once while it waits, else before its next step."


def _retry(context: ActContext) -> str:
    _require_right(context)
    retry_operation(operation_id=context.row.pk, actor=context.actor, now=context.now)
    return f"{context.row} goes on from the step that failed."


def _require_right(context: ActContext) -> None:
    if context.grant is not None:
        require_right(context.grant, context.row.kind)


ACTS = (
    Act(
        name="cancel",
        label="Cancel",
        icon="cancel",
        explanation="A step that is running is finished first; what was done stays consistent.",
        code=MANAGE,
        run=_cancel,
        allowed=lambda row: (
            row.status in {OperationStatus.QUEUED, OperationStatus.RUNNING} and not row.cancel_requested
        ),
        danger=True,
        bulk=True,
    ),
    Act(
        name="retry",
        label="Retry",
        icon="replay",
        explanation="Steps that are done are not repeated.",
        code=MANAGE,
        run=_retry,
        allowed=lambda row: row.status == OperationStatus.FAILED,
        bulk=True,
    ),
)
