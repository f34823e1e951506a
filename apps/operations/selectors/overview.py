"""Numbers and failures for the operators' start page."""

from __future__ import annotations

from django.db.models import Count

from apps.operations.models import Operation
from apps.operations.states import OperationStatus

_OPEN = (OperationStatus.QUEUED, OperationStatus.RUNNING, OperationStatus.FAILED)


def operation_counts() -> dict[str, int]:
    """How many operations wait, run, and have failed."""
    rows = Operation.objects.filter(status__in=_OPEN).order_by().values_list("status")
    return dict(rows.annotate(count=Count("id")))


def latest_failures(*, limit: int) -> list[Operation]:
    """The operations that failed last, newest first."""
    return list(Operation.objects.filter(status=OperationStatus.FAILED).order_by("-finished_at", "-id")[:limit])
