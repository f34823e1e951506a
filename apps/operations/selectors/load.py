"""How much work there is at this moment, and what became of all work so far."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Min, Q, Sum

from apps.operations.models import Operation, OperationTally
from apps.operations.states import OperationStatus


@dataclass(frozen=True, slots=True)
class Load:
    """What there is in one queue.

    ``waiting`` is due, ``postponed`` is not yet: it was asked for a later time, or rests after a failure. ``oldest``
    is since when the longest waiting one has been due, of those that wait for a worker and nothing else.
    ``abandoned`` are the running ones whose worker has not been heard of.
    """

    queue: str
    waiting: int
    postponed: int
    oldest: datetime | None
    running: int
    abandoned: int


def present_load(now: datetime, *, full: Collection[UUID]) -> list[Load]:
    """The load by queue; queues without any are left out. Reads pending rows only, by their partial indexes.

    Work of the workspaces in ``full`` waits for its own kind, as does work whose target is busy: not for a worker.
    """
    due = Q(waiting_since__lte=now)
    for_a_worker = due & Q(waits_for_target=False) & ~Q(workspace_id__in=full)
    queued = Operation.objects.filter(status=OperationStatus.QUEUED).order_by().values("queue")
    waiting = {
        row["queue"]: row
        for row in queued.annotate(
            due=Count("id", filter=due),
            later=Count("id", filter=~due),
            oldest=Min("waiting_since", filter=for_a_worker),
        )
    }
    held = Operation.objects.filter(status=OperationStatus.RUNNING).order_by().values("queue")
    running = {
        row["queue"]: row
        for row in held.annotate(held=Count("id"), abandoned=Count("id", filter=Q(lease_until__lt=now)))
    }
    return [
        Load(
            queue=queue,
            waiting=waiting.get(queue, {}).get("due", 0),
            postponed=waiting.get(queue, {}).get("later", 0),
            oldest=waiting.get(queue, {}).get("oldest"),
            running=running.get(queue, {}).get("held", 0),
            abandoned=running.get(queue, {}).get("abandoned", 0),
        )
        for queue in sorted(waiting.keys() | running.keys())
    ]


def running_by_workspace() -> dict[UUID, int]:
    """How many operations of each workspace a worker is at; those without any are left out."""
    held = Operation.objects.filter(status=OperationStatus.RUNNING, workspace_id__isnull=False)
    return dict(held.order_by().values_list("workspace_id").annotate(count=Count("id")))


def outcome_sums() -> dict[tuple[str, str], tuple[int, float]]:
    """(kind, outcome) → how often, and the seconds from claim to end of all of them, since the platform began."""
    rows = OperationTally.objects.order_by().values_list("kind", "outcome")
    return {(kind, outcome): (int(n), s) for kind, outcome, n, s in rows.annotate(n=Sum("count"), s=Sum("seconds"))}
