"""Reading runs."""

from __future__ import annotations

from typing import Any

from apps.common.ids import parse_id
from apps.workflows.errors import RunNotFound
from apps.workflows.models import Run, StepRun


def list_runs() -> Any:
    """All runs of the entered workspace, without the definitions that they pin."""
    return Run.objects.defer("definition")


def find_run(ref: str) -> Run:
    """The run with this id. Raises RunNotFound."""
    run_id = parse_id(ref)
    found: Run | None = list_runs().filter(pk=run_id).first() if run_id else None
    if found is None:
        raise RunNotFound
    return found


def list_steps(run: Run) -> Any:
    """Every attempt at every step of a run."""
    return StepRun.objects.filter(run_id=run.pk)
