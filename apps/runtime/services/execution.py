"""Running an action of a page for a visitor, and reading its result again.

The run is the result's store: it belongs to the visit that made it, and no other visit can read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.applications.definitions.actions import action_workflow
from apps.common.errors import NotFound
from apps.common.ids import new_id
from apps.common.tenancy import enter
from apps.runtime.pages.compiled import CompiledPage
from apps.runtime.services.metering import count_run
from apps.runtime.services.resolution import ResolvedApp
from apps.workflows.definitions import compile_workflow, plans
from apps.workflows.selectors.runs import find_run
from apps.workflows.services.execution import execute
from apps.workflows.services.runs import record_run

_OVER = frozenset({"succeeded", "failed", "canceled"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run as its visitor may know it. ``outputs`` is None until it succeeded, ``error`` unless it failed."""

    run: UUID
    action: str
    version_id: UUID | None
    status: str
    inputs: Mapping[str, Any]
    outputs: Any
    error: dict[str, str] | None
    progress: int
    message: str

    @property
    def is_over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.status in _OVER


def run_action(*, resolved: ResolvedApp, action: str, inputs: dict[str, Any], visit_id: UUID, now: datetime) -> Outcome:
    """Run an action of a published version, here and now, and record it. ``inputs`` have passed the action's schema.

    A run that fails is an outcome like one that succeeds. An action that isn't there raises KeyError; AppOverAllowance
    and Unavailable are raised before anything has run.
    """
    version_id = resolved.app.version_id
    plan = plans.get(
        (resolved.workspace.schema_name, version_id, action), action_workflow(resolved.page.definition, action)
    )
    with count_run(resolved) as units:
        result = execute(plan, inputs, now=now, budget=units.budget)
        with enter(resolved.workspace):
            run = record_run(
                result,
                inputs=inputs,
                trigger="runtime",
                workspace_id=resolved.workspace.id,
                app_id=resolved.app.id,
                app_version_id=version_id,
                action=action,
                session_id=visit_id,
            )
        units.count(result)
    return _outcome(run)


def try_action(*, page: CompiledPage, action: str, inputs: dict[str, Any], now: datetime) -> Outcome:
    """Run an action of a draft for its preview: computed like any other, recorded nowhere."""
    plan = compile_workflow(action_workflow(page.definition, action), with_input=False)
    result = execute(plan, inputs, now=now, budget=settings.RUN_INLINE_LIMIT.total_seconds())
    error = result.error.as_json() if result.error else None
    return Outcome(new_id(), action, None, str(result.status), inputs, result.outputs, _told(error), 100, "Done.")


def read_outcome(*, resolved: ResolvedApp, run_id: UUID, visit_id: UUID) -> Outcome | None:
    """The run of this visit at this app; None when there is none, or it is another's."""
    with enter(resolved.workspace):
        try:
            run = find_run(str(run_id))
        except NotFound:
            return None
        if run.session_id != visit_id or run.app_id != resolved.app.id:
            return None
        return _outcome(run)


def _outcome(run: Any) -> Outcome:
    status = str(run.status)
    return Outcome(
        run=run.id,
        action=run.action,
        version_id=run.app_version_id,
        status=status,
        inputs=run.inputs,
        outputs=run.outputs,
        error=_told(run.error),
        progress=100 if status in _OVER else 0,
        message=_MESSAGES.get(status, "Working on it…"),
    )


_MESSAGES = {"queued": "Waiting for its turn…", "succeeded": "Done.", "failed": "It failed.", "canceled": "Cancelled."}

_SENTENCES = {
    "division_by_zero": "With these values there is a division by zero, so there is no result.",
    "overflow": "With these values the result is too large to compute.",
    "not_a_number": "With these values there is no finite result.",
    "value_too_large": "With these values the result is too large to show.",
    "run_too_long": "This took too long and was stopped. Try smaller values.",
    "step_timed_out": "This took too long and was stopped. Try smaller values.",
}


def _told(error: Any) -> dict[str, str] | None:
    """What a visitor is told of a failure: what their values did, not what the app is made of. Members see the rest."""
    if not error:
        return None
    code = str(error.get("code", "failed"))
    return {"code": code, "detail": _SENTENCES.get(code, "This could not be computed. The app's owner can see why.")}
