"""Room in a workspace's database, set aside before work that needs it begins."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from apps.common.errors import QuotaExceeded
from apps.databases.models import SpaceReservation, WorkspaceDatabase
from apps.operations.selectors.pending import pending_operations

DIMENSION = "database.bytes"


def reserve_space(*, database: WorkspaceDatabase, operation_id: UUID, size_bytes: int) -> None:
    """Set aside room for an operation, so that no other takes the same; a repeat replaces what it had.

    What is measured (kept copies included) and what others have reserved counts. To be called in the transaction
    that asks for the operation. Raises QuotaExceeded with dimension, limit and used; then nothing is set aside.
    """
    with transaction.atomic():
        database = WorkspaceDatabase.objects.select_for_update().get(pk=database.pk)
        others = SpaceReservation.objects.filter(database=database).exclude(operation_id=operation_id)
        used = database.size_bytes + (others.aggregate(total=Sum("size_bytes"))["total"] or 0)
        if database.limit_bytes is not None and used + size_bytes > database.limit_bytes:
            raise _exceeded(database.limit_bytes, used, needed=size_bytes)
        SpaceReservation.objects.update_or_create(
            operation_id=operation_id, defaults={"database": database, "size_bytes": size_bytes}
        )


def release_space(*, operation_id: UUID) -> None:
    """Give back what an operation had set aside; nothing when it had nothing."""
    SpaceReservation.objects.filter(operation_id=operation_id).delete()


def sweep_reservations(*, now: datetime) -> int:
    """Give back what operations set aside that have ended, or were never committed; returns how many.

    A new reservation is left alone for a while: its operation may be in a transaction that is still open.
    """
    old = SpaceReservation.objects.filter(created_at__lte=now - settings.DATABASE_RESERVATION_GRACE)
    operations = set(old.values_list("operation_id", flat=True))
    gone = operations - pending_operations(operations)
    return SpaceReservation.objects.filter(operation_id__in=gone).delete()[0]


def over_limit(database: WorkspaceDatabase) -> QuotaExceeded | None:
    """The error to raise for a write that was refused because the storage is full; None when it isn't."""
    if database.writes_revoked_at is None or database.limit_bytes is None:
        return None
    return _exceeded(database.limit_bytes, database.size_bytes, needed=0)


def room_left(database: WorkspaceDatabase, *, operation_id: UUID, beside: int) -> int | None:
    """Bytes that the live database may have when it ends, ``beside`` being those of its kept copies; None for no
    limit. What other operations have reserved isn't there."""
    if database.limit_bytes is None:
        return None
    others = SpaceReservation.objects.filter(database=database).exclude(operation_id=operation_id)
    reserved = others.aggregate(total=Sum("size_bytes"))["total"] or 0
    return max(0, database.limit_bytes - beside - reserved)


def _exceeded(limit: int, used: int, *, needed: int) -> QuotaExceeded:
    need = f", and this needs {_mebibytes(needed)} more" if needed else ""
    return QuotaExceeded(
        f"The database may hold {_mebibytes(limit)}; {_mebibytes(used)} are used{need}. "
        "Delete or truncate what isn't needed, or choose a larger plan.",
        dimension=DIMENSION,
        limit=limit,
        used=used,
    )


def _mebibytes(size: int) -> str:
    return f"{size / 1024 / 1024:,.1f} MiB"
