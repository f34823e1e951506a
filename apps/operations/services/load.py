"""How much work there is, for those who watch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.operations.selectors.load import Load, present_load, running_by_workspace
from apps.operations.selectors.overview import count_failures
from apps.operations.services.limits import running_limit

_LATELY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Overview:
    """How many operations wait (for later ones too), run, and have failed within 24 hours; for how long the longest
    waiting one has been due without a worker."""

    waiting: int
    running: int
    failed_lately: int
    longest_wait: timedelta


def read_load(*, now: datetime) -> list[Load]:
    """The load of each queue; what a workspace's own limit holds back doesn't count as waiting for a worker."""
    full = [workspace for workspace, count in running_by_workspace().items() if count >= running_limit(workspace)]
    return present_load(now, full=full)


def read_overview(*, now: datetime) -> Overview:
    """The numbers at this moment; reads pending rows and late failures only."""
    loads = read_load(now=now)
    oldest = min((load.oldest for load in loads if load.oldest), default=now)
    return Overview(
        waiting=sum(load.waiting + load.postponed for load in loads),
        running=sum(load.running for load in loads),
        failed_lately=count_failures(since=now - _LATELY),
        longest_wait=now - oldest,
    )
