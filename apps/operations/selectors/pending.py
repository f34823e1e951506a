"""Which operations have not ended."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from apps.operations.models import Operation


def pending_operations(ids: Collection[UUID]) -> set[UUID]:
    """Those of ``ids`` that wait or run."""
    return set(Operation.objects.pending().filter(pk__in=ids).values_list("pk", flat=True))


def has_pending(*, target_kind: str, target_id: UUID | str) -> bool:
    """Whether any operation on this target waits or runs."""
    found: bool = Operation.objects.pending().on_target(target_kind, target_id).exists()
    return found


def pending_of_kind(kind: str) -> set[UUID]:
    """All operations of this kind that wait or run."""
    return set(Operation.objects.pending().filter(kind=kind).values_list("pk", flat=True))
