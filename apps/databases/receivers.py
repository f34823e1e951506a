"""What happens to databases when something happens to their workspace."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from apps.billing.signals import limits_changed
from apps.common.queue import enqueue
from apps.common.tenancy import enter_public
from apps.databases.models import WorkspaceDatabase
from apps.databases.services.backups.schedules import make_default_schedule
from apps.databases.services.deletion import follow_workspace
from apps.databases.services.space import DIMENSION
from apps.databases.signals import database_ready
from apps.workspaces.signals import (
    workspace_activated,
    workspace_closing,
    workspace_restored,
    workspace_suspended,
)


@receiver(
    [workspace_suspended, workspace_closing, workspace_activated, workspace_restored],
    dispatch_uid="databases.follow_workspace",
)
def follow(sender: type, workspace: Any, actor: Any, now: Any, **kwargs: Any) -> None:
    """The database of a workspace that isn't active lets no login in."""
    with enter_public():
        follow_workspace(workspace=workspace, actor=actor, now=now)


@receiver(limits_changed, dispatch_uid="databases.apply_limit")
def apply_limit(sender: type, workspace: Any, dimension: str, **kwargs: Any) -> None:
    """A larger limit gives writing back at once, a lower one takes it: not only when sizes are measured next."""
    if dimension == DIMENSION:
        with enter_public():
            for database in WorkspaceDatabase.objects.ready().of_workspace(workspace.pk):
                enqueue("databases.measure_one", database=database.pk)


@receiver(database_ready, dispatch_uid="databases.schedule_backups")
def schedule_backups(sender: type, database: Any, now: Any, **kwargs: Any) -> None:
    """Every database is backed up daily from the beginning."""
    make_default_schedule(database=database, now=now)
