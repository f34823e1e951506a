"""Reading workflows."""

from __future__ import annotations

from typing import Any

from apps.common.ids import parse_id
from apps.workflows.errors import WorkflowNotFound
from apps.workflows.models import Workflow


def list_workflows() -> Any:
    """All workflows of the entered workspace."""
    return Workflow.objects.all()


def find_workflow(ref: str) -> Workflow:
    """The workflow with this id or slug. Raises WorkflowNotFound."""
    return _found(Workflow.objects.all(), ref)


def lock_workflow(ref: str) -> Workflow:
    """The same, locked until the present transaction ends."""
    return _found(Workflow.objects.select_for_update(), ref)


def _found(workflows: Any, ref: str) -> Workflow:
    workflow_id = parse_id(ref)
    found: Workflow | None = workflows.filter(**({"pk": workflow_id} if workflow_id else {"slug": ref})).first()
    if found is None:
        raise WorkflowNotFound
    return found
