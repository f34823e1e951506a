"""What can be wrong with workflows and their runs."""

from __future__ import annotations

from apps.common.errors import AppRunError, Conflict, InvalidInput, NotFound


class InvalidWorkflow(InvalidInput):
    """The definition can't run; ``errors`` point into it."""

    code = "invalid_workflow"
    detail = "The workflow is not valid; see errors."


class WorkflowNotFound(NotFound):
    """No workflow of this workspace has this id or slug."""

    code = "workflow_not_found"
    detail = "There is no such workflow in this workspace."


class RunNotFound(NotFound):
    """No run of this workspace has this id."""

    code = "run_not_found"
    detail = "There is no such run in this workspace."


class WorkflowSlugTaken(Conflict):
    """Another workflow of this workspace has this slug."""

    code = "slug_taken"
    detail = "Another workflow of this workspace has this slug. Choose another one."


class StepFailed(AppRunError):
    """A step gave no value. ``retryable`` when a further attempt could end otherwise."""

    code = "step_failed"
    detail = "The step failed."

    def __init__(self, detail: str | None = None, *, code: str | None = None, retryable: bool = False) -> None:
        super().__init__(detail, code=code)
        self.retryable = retryable
