"""Running workflows in the request, and recording what happened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.billing.services.metering import Metered
from apps.common.errors import InvalidInput
from apps.common.ids import new_id
from apps.common.tenancy import current_schema
from apps.events.services import emit_event
from apps.workflows.definitions import plans
from apps.workflows.models import Run, StepRun, Workflow
from apps.workflows.selectors.workflows import find_workflow
from apps.workflows.services.execution import RunResult, StepResult, execute
from apps.workflows.services.metering import metered_run


def start_run(*, workflow: str, inputs: Any, workspace: Metered, now: datetime, trigger: str = Run.Trigger.API) -> Run:
    """Run the workflow with this id or slug in the entered workspace, now and here, and record it.

    A run that fails is recorded and returned like one that succeeds. Raises WorkflowNotFound, InvalidInput (inputs that
    don't fit the workflow's own schema; pointers below ``/inputs``), and QuotaExceeded before anything has run. Not to
    be called in a transaction: what it uses is leased in one of its own.
    """
    found = find_workflow(workflow)
    plan = plans.get((current_schema(), found.pk, found.revision), found.definition)
    if plan.input is not None:
        inputs = plan.input.accept(inputs, at="/inputs", refusal=InvalidInput)
    with metered_run(workspace, source="workflow") as units:
        result = execute(plan, inputs, now=now, budget=units.budget)
        run = record_run(
            result,
            inputs=inputs,
            workflow=found,
            definition=found.definition,
            trigger=trigger,
            workspace_id=workspace.id,
        )
        units.count(result)
    return run


def record_run(
    result: RunResult,
    *,
    inputs: Mapping[str, Any],
    trigger: str,
    workspace_id: UUID,
    workflow: Workflow | None = None,
    definition: Mapping[str, Any] | None = None,
    app_id: UUID | None = None,
    app_version_id: UUID | None = None,
    action: str = "",
    session_id: UUID | None = None,
    run_id: UUID | None = None,
    announce: bool = True,
) -> Run:
    """Write an executed run with all its steps, whole or not at all: one statement, and a second for its event.

    ``definition`` is what ran, unless an app's version holds it. ``announce=False`` writes no event.
    """
    run = Run(
        id=run_id or new_id(),
        workflow=workflow,
        app_id=app_id,
        app_version_id=app_version_id,
        action=action,
        session_id=session_id,
        definition=definition,
        trigger=trigger,
        status=result.status,
        inputs=dict(inputs),
        outputs=result.outputs,
        error=result.error.as_json() if result.error else None,
        created_at=result.started_at,
        started_at=result.started_at,
        finished_at=result.finished_at,
    )
    steps = [_step_row(run, position, step) for position, step in enumerate(result.steps)]
    if not announce:
        Run.objects.write_whole(run, steps)
        return run
    with transaction.atomic():
        Run.objects.write_whole(run, steps)
        _announce(run, result, workspace_id)
    return run


def _step_row(run: Run, position: int, step: StepResult) -> StepRun:
    return StepRun(
        run_id=run.pk,
        step=step.step,
        position=position,
        attempt=step.attempt,
        status=step.status,
        input=step.input,
        output=step.output,
        error=step.error.as_json() if step.error else None,
        started_at=step.started_at,
        finished_at=step.finished_at,
    )


def _announce(run: Run, result: RunResult, workspace_id: UUID) -> None:
    data = {
        "run": str(run.pk),
        "workflow": str(run.workflow_id) if run.workflow_id else None,
        "app": str(run.app_id) if run.app_id else None,
        "trigger": run.trigger,
        "error": run.error,
    }
    emit_event(type=f"run.{run.status}", workspace_id=workspace_id, data=data, now=result.finished_at)
