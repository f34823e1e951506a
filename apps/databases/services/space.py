"""Room in a workspace's database and for its backups, set aside before work that needs it begins.

The limits are the workspace's quotas (plan, override or grace), and what is set aside is theirs; this says in which
dimensions, for whose operation.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from apps.billing.services.holds import ceiling_for_operation, enforced_limit, hold_for_operation, release_holds
from apps.common.errors import QuotaExceeded
from apps.databases.models import WorkspaceDatabase

DIMENSION = "database.bytes"
BACKUPS = "backup.bytes"


def reserve_space(
    *,
    database: WorkspaceDatabase,
    operation_id: UUID,
    size_bytes: int,
    now: datetime,
    dimension: str = DIMENSION,
) -> None:
    """Set aside room for an operation, so that no other takes the same; a repeat replaces what it had.

    What is measured (kept copies included) and what others have reserved counts. To be called in the transaction
    that asks for the operation. Raises QuotaExceeded with dimension, limit and used; then nothing is set aside.
    """
    hold_for_operation(
        workspace_id=database.workspace_id,
        dimension=dimension,
        operation_id=operation_id,
        amount=max(1, size_bytes),
        now=now,
    )


def release_space(*, workspace_id: UUID, operation_id: UUID, now: datetime) -> None:
    """Give back what an operation had set aside; nothing when it had nothing."""
    release_holds(workspace_id=workspace_id, operation_id=operation_id, now=now)


def storage_limit(workspace_id: UUID, *, now: datetime) -> int | None:
    """How many bytes the workspace's database may hold now, kept copies included; None for no limit."""
    return enforced_limit(workspace_id=workspace_id, dimension=DIMENSION, now=now)


def over_limit(database: WorkspaceDatabase) -> QuotaExceeded | None:
    """The error to raise for a write that was refused because the storage is full; None when it isn't."""
    if database.writes_revoked_at is None or database.limit_bytes is None:
        return None
    return QuotaExceeded(
        f"The database may hold {_mebibytes(database.limit_bytes)}; {_mebibytes(database.size_bytes)} are used. "
        "Delete or truncate what isn't needed, or choose a larger plan.",
        dimension=DIMENSION,
        limit=database.limit_bytes,
        used=database.size_bytes,
    )


def room_left(database: WorkspaceDatabase, *, operation_id: UUID, beside: int, now: datetime) -> int | None:
    """Bytes that the live database may have when the operation ends, ``beside`` being those of its kept copies; None
    for no limit. What other operations have reserved isn't there."""
    ceiling = ceiling_for_operation(
        workspace_id=database.workspace_id, dimension=DIMENSION, operation_id=operation_id, now=now
    )
    return None if ceiling is None else max(0, ceiling - beside)


def _mebibytes(size: int) -> str:
    return f"{size / 1024 / 1024:,.1f} MiB"
