"""Levels: what exists or is stored. They are measured, not summed; each change of one is an entry in the ledger.

``common.metering`` says when apps call these.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.billing.errors import quota_exceeded
from apps.billing.models import Quota
from apps.billing.services.ledger import write_entry
from apps.billing.services.notices import tell_threshold
from apps.billing.services.presence import entered_with_quotas
from apps.billing.services.quotas import give_back_expired, lock_quota, measure_level, require_dimension, save_use
from apps.plans.selectors.dimensions import known_dimensions


def take_room(*, workspace_id: UUID, dimension: str, amount: int, now: datetime) -> None:
    """Raise QuotaExceeded unless ``amount`` more may exist beside what exists; else put down the level that will be.

    What exists is counted anew under the quota's lock, so a level that drifted can't refuse anybody wrongly.
    """
    known = require_dimension(dimension)
    with entered_with_quotas(workspace_id) as workspace:
        if workspace is None:
            return
        with transaction.atomic():
            quota = lock_quota(workspace=workspace, dimension=dimension, now=now)
            level = measure_level(quota, workspace)
            if not _has_room(quota, level, amount):
                give_back_expired(quota, now=now)
            if not _has_room(quota, level, amount):
                quota.used = level
                raise quota_exceeded(quota, name=known.name, unit=known.unit, asked=amount)
            set_level(quota, level + amount, workspace=workspace, now=now, source="made")


def note_level(*, workspace_id: UUID, dimension: str, now: datetime, going: int = 0) -> None:
    """Measure the level anew and put it down, less what is ``going`` before the transaction ends."""
    with entered_with_quotas(workspace_id) as workspace:
        if workspace is None:
            return
        with transaction.atomic():
            quota = lock_quota(workspace=workspace, dimension=dimension, now=now)
            level = max(0, measure_level(quota, workspace) - going)
            set_level(quota, level, workspace=workspace, now=now)


def measure_levels(*, workspace: Any, now: datetime) -> None:
    """Measure all that a workspace has which came filled. Raises QuotaExceeded for what is above the limit."""
    for code, known in sorted(known_dimensions().items()):
        if known.kind == "counter":
            continue
        quota = lock_quota(workspace=workspace, dimension=code, now=now)
        if not _has_room(quota, quota.used, 0):
            brought, quota.used = quota.used, 0
            raise quota_exceeded(quota, name=known.name, unit=known.unit, asked=brought)


def set_level(quota: Quota, level: int, *, workspace: Any, now: datetime, source: str = "measured") -> None:
    """Put a level down in a locked quota, with the difference in the ledger."""
    difference = level - quota.used
    if difference:
        write_entry(quota, amount=difference, workspace=workspace, source=source, now=now)
    quota.used, quota.measured_at = level, now
    save_use(quota, now=now)
    tell_threshold(quota, workspace=workspace, dimension=quota.dimension, now=now)


def _has_room(quota: Quota, level: int, amount: int) -> bool:
    limit = quota.enforced_limit
    return limit is None or level + quota.reserved + amount <= limit
