"""How much work there is at this moment, and what became of all work so far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q, Sum

from apps.operations.models import Operation, OperationTally
from apps.operations.states import OperationStatus


@dataclass(frozen=True, slots=True)
class Load:
    """What there is of one kind.

    ``waiting`` could be taken up now, ``postponed`` only later: it was asked for a later time, or rests after a
    failure. ``oldest`` is since when the longest waiting one has been due; those that wait for another operation on
    their target aside. ``abandoned`` are the running ones whose worker has not been heard of.
    """

    kind: str
    waiting: int
    postponed: int
    oldest: datetime | None
    running: int
    abandoned: int


def present_load(now: datetime) -> list[Load]:
    """The load by kind; kinds without any are left out. Reads pending rows only, by their partial indexes."""
    due = Q(waiting_since__lte=now)
    queued = Operation.objects.filter(status=OperationStatus.QUEUED).order_by().values("kind")
    waiting = {
        row["kind"]: row
        for row in queued.annotate(
            due=Count("id", filter=due),
            later=Count("id", filter=~due),
            oldest=Min("waiting_since", filter=due & Q(waits_for_target=False)),
        )
    }
    held = Operation.objects.filter(status=OperationStatus.RUNNING).order_by().values("kind")
    running = {
        row["kind"]: row
        for row in held.annotate(held=Count("id"), abandoned=Count("id", filter=Q(lease_until__lt=now)))
    }
    return [
        Load(
            kind=kind,
            waiting=waiting.get(kind, {}).get("due", 0),
            postponed=waiting.get(kind, {}).get("later", 0),
            oldest=waiting.get(kind, {}).get("oldest"),
            running=running.get(kind, {}).get("held", 0),
            abandoned=running.get(kind, {}).get("abandoned", 0),
        )
        for kind in sorted(waiting.keys() | running.keys())
    ]


def outcome_sums() -> dict[tuple[str, str], tuple[int, float]]:
    """(kind, outcome) → how often, and the seconds from claim to end of all of them, since the platform began."""
    rows = OperationTally.objects.order_by().values_list("kind", "outcome")
    return {(kind, outcome): (int(n), s) for kind, outcome, n, s in rows.annotate(n=Sum("count"), s=Sum("seconds"))}
