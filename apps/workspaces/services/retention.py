"""Forgetting what is too old inside workspaces: once a day for each, at a time of day of its own.

What is forgotten is registered by the apps that own the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from apps.common.retention import forget_in_batches
from apps.workspaces.services.due_work import DueItem, register_due_kind, schedule_work
from apps.workspaces.services.rounds import begin_missing_rounds, next_turn

KIND = "retention"
_DAY = timedelta(days=1)
_AT_ONCE = timedelta(seconds=1)

#: ``forget(now=…, limit=…)`` deletes up to so many rows of the entered workspace, in one transaction; returns how many.
Forget = Callable[..., int]
_jobs: dict[str, Forget] = {}


def register_retention(name: str, forget: Forget) -> None:
    """Have ``forget`` called daily in every workspace until it finds fewer than ``limit``. Raises ValueError for a
    second one of that name."""
    if name in _jobs:
        raise ValueError(f"The retention job {name} is registered twice")
    _jobs[name] = forget


def begin_retention(*, workspace_id: UUID, now: datetime) -> None:
    """A new workspace's daily run."""
    schedule_work(workspace_id=workspace_id, kind=KIND, due_at=next_run(workspace_id, now))


def begin_missing_retention(*, now: datetime) -> int:
    """Schedule the daily run of every workspace that has none: those that are older than this mechanism, or that were
    imported; returns how many."""
    return begin_missing_rounds(KIND, every=_DAY, now=now)


def next_run(workspace_id: UUID, now: datetime) -> datetime:
    """The next time after ``now`` at which this workspace's turn is: the same time of every day (UTC)."""
    return next_turn(workspace_id, now, every=_DAY)


def forget_in_workspace(item: DueItem) -> datetime:
    """Every registered job, each to its end or to its limit of time; returns when the next run is due.

    One that fails doesn't keep the others from running; then all are tried again soon (``do_due_work``).
    """
    is_finished = True
    failures: list[Exception] = []
    for name, forget in sorted(_jobs.items()):
        try:
            forgotten = forget_in_batches(name, partial(_forget, forget, item.now), workspace=str(item.workspace.pk))
        except Exception as error:  # noqa: BLE001 - raised again below
            failures.append(error)
        else:
            is_finished = is_finished and forgotten.is_finished
    if failures:
        raise failures[0]
    return next_run(item.workspace.pk, item.now) if is_finished else item.now + _AT_ONCE


def _forget(forget: Forget, now: datetime, limit: int) -> int:
    return forget(now=now, limit=limit)


register_due_kind(KIND, forget_in_workspace)
