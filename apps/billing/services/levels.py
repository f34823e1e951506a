"""Levels: what exists or is stored. They are measured, not summed; each change of one is an entry in the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.billing.errors import quota_exceeded
from apps.billing.models import Quota
from apps.billing.services.ledger import write_entry
from apps.billing.services.notices import reached_threshold, tell_threshold
from apps.billing.services.quotas import give_back_expired, lock_quota, measure_level, require_dimension, save_use
from apps.common.tenancy import enter
from apps.workspaces.selectors.directory import find_workspace


def take_room(*, workspace_id: UUID, dimension: str, amount: int, now: datetime) -> None:
    """Raise QuotaExceeded unless ``amount`` more may exist beside what exists; else note the level that will be.

    To be called in the transaction that makes it: the quota's lock, held until that one's end, lets two who want the
    last place come one after the other. What exists is counted anew under the lock, so a level that drifted can't
    refuse anybody wrongly.
    """
    workspace = _workspace(workspace_id)
    with enter(workspace):
        _take(workspace, dimension, amount, now)


def note_level(*, workspace_id: UUID, dimension: str, now: datetime) -> int:
    """Measure the level anew, after something was deleted or measured, and put it down; returns it."""
    workspace = _workspace(workspace_id)
    with enter(workspace), transaction.atomic():
        quota = lock_quota(workspace=workspace, dimension=dimension, now=now)
        level = measure_level(quota, workspace)
        set_level(quota, level, workspace=workspace, now=now)
    return level


def set_level(quota: Quota, level: int, *, workspace: Any, now: datetime, source: str = "measured") -> None:
    """Put a measured level down in a locked quota, with the difference in the ledger."""
    difference = level - quota.used
    if difference:
        write_entry(quota, amount=difference, workspace=workspace, source=source, now=now)
    quota.used, quota.measured_at = level, now
    save_use(quota, now=now)
    reached = reached_threshold(used=level, soft_limit=quota.soft_limit, hard_limit=quota.hard_limit)
    if reached > quota.alerted:
        tell_threshold(workspace=workspace, dimension=quota.dimension, reached=reached, now=now)


def _take(workspace: Any, dimension: str, amount: int, now: datetime) -> None:
    known = require_dimension(dimension)
    with transaction.atomic():
        quota = lock_quota(workspace=workspace, dimension=dimension, now=now)
        level = measure_level(quota, workspace)
        quota.used = level if level == quota.used else _corrected(quota, level, workspace, now)
        if quota.room is not None and quota.room < amount:
            give_back_expired(quota, now=now)
        if quota.room is not None and quota.room < amount:
            raise quota_exceeded(quota, name=known.name, unit=known.unit, asked=amount)
        set_level(quota, level + amount, workspace=workspace, now=now, source="made")


def _corrected(quota: Quota, level: int, workspace: Any, now: datetime) -> int:
    write_entry(quota, amount=level - quota.used, workspace=workspace, source="measured", now=now)
    return level


def _workspace(workspace_id: UUID) -> Any:
    workspace = find_workspace(str(workspace_id))
    assert workspace is not None, "a level belongs to a workspace that exists"
    return workspace
