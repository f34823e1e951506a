"""What can be wrong about an operation."""

from __future__ import annotations

from apps.common.errors import AppRunError, Conflict, NotFound


class OperationNotFound(NotFound):
    """No such operation, or none that this caller may know of."""

    code = "operation_not_found"
    detail = "There is no operation with this id."


class TooLateToCancel(Conflict):
    """The operation is past the step from which it can still be given up."""

    code = "too_late_to_cancel"
    detail = "This can't be canceled any more: it is past the step from which it could be undone."


class OperationFinished(Conflict):
    """What has ended can't be canceled."""

    code = "operation_finished"


class StepFailed(AppRunError):
    """Raised by a step that can't succeed however often it is tried; the operation fails at once."""

    code = "step_failed"
    detail = "This step can't be done."


class LeaseLost(RuntimeError):
    """Another worker took the operation over: whatever this one still finds out is too late."""
