"""Forgetting operations that ended long ago."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from apps.common.retention import delete_some, forget_in_batches
from apps.common.tenancy import enter_public
from apps.operations.models import Operation


def forget_finished_operations(*, now: datetime) -> int:
    """Delete the operations that ended before ``OPERATION_RETENTION``, in the order in which they were made; returns
    how many. What waits or runs is never touched, however old it is.
    """
    with enter_public():
        old = Operation.objects.finished_before(now - settings.OPERATION_RETENTION).order_by("pk")
        return forget_in_batches("operations.finished", lambda limit: delete_some(old, limit)).count
