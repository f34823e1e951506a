"""Numbers and failures for the operators' start page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.operations.models import Operation
from apps.operations.selectors.load import present_load
from apps.operations.states import OperationStatus

_LATELY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Overview:
    """How many operations wait (for later ones too), run, and have failed within 24 hours; for how long the longest
    waiting one has been due."""

    waiting: int
    running: int
    failed_lately: int
    longest_wait: timedelta


def operation_overview(now: datetime) -> Overview:
    """The numbers at this moment; reads pending rows and late failures only."""
    loads = present_load(now)
    oldest = min((load.oldest for load in loads if load.oldest), default=now)
    return Overview(
        waiting=sum(load.waiting + load.postponed for load in loads),
        running=sum(load.running for load in loads),
        failed_lately=Operation.objects.filter(status=OperationStatus.FAILED, finished_at__gte=now - _LATELY).count(),
        longest_wait=now - oldest,
    )


def latest_failures(*, limit: int) -> list[Operation]:
    """The operations that failed last, newest first."""
    return list(Operation.objects.filter(status=OperationStatus.FAILED).order_by("-finished_at", "-id")[:limit])
