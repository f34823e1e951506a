"""What happens to runs when something happens elsewhere."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from apps.workflows.services.archived_rows import end_runs_under_way
from apps.workspaces.signals import workspace_imported


@receiver(workspace_imported, dispatch_uid="workflows.end_runs")
def end_runs_of_elsewhere(*, now: Any, **_: Any) -> None:
    """What ran where the workspace comes from is not run a second time here."""
    end_runs_under_way(now=now)
