"""Which operations have not ended."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from apps.operations.models import Operation


def pending_operations(ids: Collection[UUID]) -> set[UUID]:
    """Those of ``ids`` that wait or run."""
    return set(Operation.objects.pending().filter(pk__in=ids).values_list("pk", flat=True))
