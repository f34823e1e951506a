"""Counting what operations came to, for good: the rows are forgotten some day, the counts are not."""

from __future__ import annotations

from django.db import transaction

from apps.common.tenancy import enter_public
from apps.operations.models import Operation, OperationTally
from apps.operations.states import Outcome

#: How many counts are folded in one transaction: some milliseconds' work.
_BATCH = 5_000


def count_outcome(operation: Operation, outcome: Outcome) -> None:
    """Count what came of the operation, in the transaction in which it did.

    A row of its own: one row per kind would make all workers wait for each other, and could lock two of them for good
    (one holds an operation and wants the count, one holds the count and wants the operation).
    """
    begun, ended = operation.started_at, operation.finished_at
    seconds = max(0.0, (ended - begun).total_seconds()) if begun and ended else 0.0
    with enter_public():
        OperationTally.objects.create(kind=operation.kind, outcome=outcome, seconds=seconds)


def fold_tallies() -> int:
    """Replace the counts by one for each kind and outcome; returns how many rows that saved.

    Whoever adds them up meanwhile finds the same sums. Two at a time share the rows.
    """
    saved = 0
    with enter_public():
        while some := _fold_some():
            saved += some
    return saved


def _fold_some() -> int:
    with transaction.atomic():
        rows = list(OperationTally.objects.order_by("id").select_for_update(skip_locked=True)[:_BATCH])
        sums: dict[tuple[str, str], OperationTally] = {}
        for row in rows:
            key = (row.kind, row.outcome)
            total = sums.setdefault(key, OperationTally(kind=row.kind, outcome=row.outcome, count=0, seconds=0))
            total.count += row.count
            total.seconds += row.seconds
        saved = len(rows) - len(sums)
        if saved:
            OperationTally.objects.filter(pk__in=[row.pk for row in rows]).delete()
            OperationTally.objects.bulk_create(sums.values())
    return saved
