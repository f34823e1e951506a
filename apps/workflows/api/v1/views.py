"""Workflows and runs over HTTP."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from apps.common.api.outputs import Created
from apps.common.api.pagination import Listing
from apps.common.api.views import WorkspaceViewSet
from apps.workflows.api.v1.filters import RunFilters
from apps.workflows.api.v1.serializers import (
    RunInput,
    RunItem,
    StepRunItem,
    ValidationInput,
    ValidationItem,
    WorkflowInput,
    WorkflowItem,
)
from apps.workflows.selectors.runs import find_run, list_runs, list_steps
from apps.workflows.selectors.workflows import find_workflow, list_workflows
from apps.workflows.services.runs import start_run
from apps.workflows.services.workflows import change_workflow, check_workflow, create_workflow, delete_workflow


class WorkflowViewSet(WorkspaceViewSet):
    """The workflows of a workspace; ``{workflow}`` is the id or the slug."""

    required = {
        "list": "workflows.view",
        "create": "workflows.edit",
        "retrieve": "workflows.view",
        "partial_update": "workflows.edit",
        "destroy": "workflows.edit",
        "validate": "workflows.view",
        "run": "workflows.run",
    }
    inputs = {
        "create": WorkflowInput,
        "partial_update": WorkflowInput,
        "validate": ValidationInput,
        "run": RunInput,
    }
    outputs = {
        "list": Listing(WorkflowItem, orders=("-created_at", "name", "slug", "updated_at"), search=("name", "slug")),
        "create": Created(WorkflowItem),
        "retrieve": WorkflowItem,
        "partial_update": WorkflowItem,
        "destroy": None,
        "validate": ValidationItem,
        "run": RunItem,
    }
    conditional = {"partial_update": "optional", "destroy": "optional"}
    own_transactions = frozenset({"run"})

    def list(self, request: Request, workspace: str) -> Response:
        """All workflows."""
        return self.page(list_workflows())

    def create(self, request: Request, workspace: str) -> Response:
        """Make a workflow. Its definition is checked as a whole; errors point into it."""
        workflow = create_workflow(**self.read(), actor=self.actor, now=self.now)
        return self.created(workflow, location=f"/api/v1/workspaces/{self.workspace.id}/workflows/{workflow.id}")

    def retrieve(self, request: Request, workspace: str, workflow: str) -> Response:
        """One workflow."""
        return self.answer(find_workflow(workflow))

    def partial_update(self, request: Request, workspace: str, workflow: str) -> Response:
        """Change a workflow; its revision counts up."""
        changed = change_workflow(
            workflow=workflow, **self.read(), expected=self.expected, actor=self.actor, now=self.now
        )
        return self.answer(changed)

    def destroy(self, request: Request, workspace: str, workflow: str) -> Response:
        """Delete a workflow. Its runs stay; published apps keep the workflow that their version holds."""
        delete_workflow(workflow=workflow, expected=self.expected, actor=self.actor, now=self.now)
        return self.nothing()

    def validate(self, request: Request, workspace: str, workflow: str) -> Response:
        """What is wrong with a definition, without saving it."""
        return self.answer(check_workflow(workflow=workflow, **self.read()))

    def run(self, request: Request, workspace: str, workflow: str) -> Response:
        """Run a workflow and wait for its result. A run that fails is answered like one that succeeds."""
        return self.answer(start_run(workflow=workflow, **self.read(), workspace=self.workspace, now=self.now))


class RunViewSet(WorkspaceViewSet):
    """What ran."""

    required = {"list": "runs.view", "retrieve": "runs.view", "steps": "runs.view"}
    outputs = {
        "list": Listing(RunItem, filters=RunFilters),
        "retrieve": RunItem,
        "steps": Listing(StepRunItem, orders=("position",)),
    }

    def list(self, request: Request, workspace: str) -> Response:
        """All runs, newest first."""
        return self.page(list_runs())

    def retrieve(self, request: Request, workspace: str, run: str) -> Response:
        """One run with its result."""
        return self.answer(find_run(run))

    def steps(self, request: Request, workspace: str, run: str) -> Response:
        """Every attempt at every step of a run, in order."""
        return self.page(list_steps(find_run(run)))
