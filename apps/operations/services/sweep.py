"""Finding the work that fell through: lost messages, dead workers."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction

from apps.common.tenancy import enter_public
from apps.operations.models import Operation
from apps.operations.selectors.turns import overdue_operations
from apps.operations.services.outcomes import Failure, settle_failure
from apps.operations.services.requests import wake_worker

log = structlog.get_logger(__name__)

#: What became due this recently has a message of its own under way.
_FRESH = timedelta(seconds=5)
_BATCH = 500


def sweep_operations(*, now: datetime) -> int:
    """Take operations away from workers that are gone, and wake workers for what waits; returns how many it touched.

    A worker that dies with the operation in its hands counts as a failure: work that kills every worker ends as failed.
    """
    with enter_public():
        abandoned = list(Operation.objects.abandoned(now).values_list("pk", flat=True)[:_BATCH])
        for operation_id in abandoned:
            with transaction.atomic():
                row = (
                    Operation.objects.abandoned(now).select_for_update(skip_locked=True).filter(pk=operation_id).first()
                )
                if row is None:
                    continue
                log.warning("lease_ran_out", operation=str(row.pk), kind=row.kind, owner=row.lease_owner)
                settle_failure(
                    row,
                    Failure("worker_lost", "The worker stopped while it was at it.", False, timedelta(0)),
                    step=row.current_step,
                    now=now,
                )
        waiting = overdue_operations(now=now - _FRESH, each=settings.OPERATION_RUNNING_PER_WORKSPACE, most=_BATCH)
        for operation in Operation.objects.filter(pk__in=waiting):
            wake_worker(operation)
    return len(abandoned) + len(waiting)
