"""What rows of workflows and runs must be that an archive brings, and what becomes of runs that were under way."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from apps.common.archiving import Row
from apps.common.canonical_json import JsonTooLarge, MalformedJson, loads
from apps.common.errors import InvalidInput
from apps.common.names import name_errors
from apps.common.slugs import check_slug
from apps.workflows.definitions import validate_workflow
from apps.workflows.models import Run
from apps.workflows.states import RunStatus

_UNDER_WAY = (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING)


def check_workflow(row: Row) -> str | None:
    """A slug and a name that can be ones, a definition that is valid."""
    try:
        check_slug(row["slug"] or "")
    except InvalidInput:
        return "its slug can't be one."
    if name_errors(row["name"] or ""):
        return "its name has control characters."
    return _definition_error(row["definition"])


def check_run(row: Row) -> str | None:
    """The definition that a run brings itself is valid."""
    return None if row["definition"] in (None, "null") else _definition_error(row["definition"])


def end_runs_under_way(*, now: datetime) -> int:
    """Cancel the runs of the entered workspace that were under way where it comes from; returns how many."""
    ended = 0
    for run in Run.objects.filter(status__in=_UNDER_WAY).select_for_update():
        run.move_to(
            RunStatus.CANCELED,
            finished_at=now,
            error={"code": "workspace_moved", "detail": "The workspace was exported while this ran. Start it again."},
        )
        ended += 1
    return ended


def _definition_error(text: str | None) -> str | None:
    try:
        definition = loads(text or "", max_bytes=settings.DEFINITION_MAX_BYTES)
    except (JsonTooLarge, MalformedJson) as error:
        return f"its definition can't be one: {error}"
    errors = validate_workflow(definition)
    return f"its definition is not valid: {errors[0].pointer} {errors[0].detail}" if errors else None
