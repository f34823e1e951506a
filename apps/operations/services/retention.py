"""Forgetting operations that ended long ago."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db.models import Exists, OuterRef

from apps.common.retention import delete_some, forget_in_batches
from apps.common.tenancy import enter_public
from apps.operations.models import Operation, WorkspaceTurn


def forget_finished_operations(*, now: datetime) -> int:
    """Delete the operations that ended before ``OPERATION_RETENTION``, in the order in which they were made; returns
    how many. What waits or runs is never touched, however old it is.
    """
    with enter_public():
        old = Operation.objects.finished_before(now - settings.OPERATION_RETENTION).order_by("pk")
        return forget_in_batches("operations.finished", lambda limit: delete_some(old, limit)).count


def forget_idle_turns() -> int:
    """Delete the turns of workspaces of which no operation is left, as those that were purged; returns how many."""
    with enter_public():
        idle = ~Exists(Operation.objects.filter(workspace_id=OuterRef("workspace_id")))
        turns = WorkspaceTurn.objects.filter(idle).order_by("pk")
        return forget_in_batches("operations.turns", lambda limit: delete_some(turns, limit)).count
