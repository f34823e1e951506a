"""Failures, for the operators' start page."""

from __future__ import annotations

from datetime import datetime

from apps.operations.models import Operation
from apps.operations.states import OperationStatus


def count_failures(*, since: datetime) -> int:
    """How many operations have failed since then, and are not being tried again."""
    count: int = Operation.objects.filter(status=OperationStatus.FAILED, finished_at__gte=since).count()
    return count


def latest_failures(*, limit: int) -> list[Operation]:
    """The operations that failed last, newest first."""
    return list(Operation.objects.filter(status=OperationStatus.FAILED).order_by("-finished_at", "-id")[:limit])
