"""Units leased in blocks, for what happens too often to ask for each: a process spends them by itself, and reports.

A lease is part of the quota's ``reserved``, so that all processes together never hold more than there is. Reporting
moves what was spent from reserved to used, and is where blocks grow and shrink.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.billing.models import AppUsage, Lease, Quota, UsageEvent
from apps.billing.services.ledger import new_use, overage_of
from apps.billing.services.notices import reached_threshold, tell_threshold
from apps.billing.services.quotas import give_back_expired, lock_quota, save_use


@dataclass(frozen=True, slots=True)
class Block:
    """What a holder may spend from now on, until ``expires_at``: ``units``, what was left over included."""

    units: int
    expires_at: datetime
    limit: int | None
    resets_at: datetime | None


def renew_lease(
    *,
    workspace: Any,
    dimension: str,
    holder: str,
    spent: Mapping[UUID | None, int],
    wanted: int,
    source: str,
    now: datetime,
) -> Block:
    """Report what ``holder`` spent, by app, and hold up to ``wanted`` units for it from now on, in one transaction.

    What was spent is counted in any case: it happened. The block has at least one unit while there is room for one,
    and at most LEASE_BLOCK_MAX or the LEASE_SHARE-th part of the room. ``wanted=0`` gives all of it back.
    """
    with transaction.atomic():
        quota = lock_quota(workspace=workspace, dimension=dimension, now=now)
        give_back_expired(quota, now=now)
        lease: Lease | None = Lease.objects.select_for_update().filter(dimension=dimension, holder=holder).first()
        held = lease.units if lease is not None else 0
        quota.reserved -= held
        _count(quota, spent, workspace=workspace, source=source, now=now)
        units = _block(quota, wanted)
        quota.reserved += units
        save_use(quota, now=now)
        expires_at = now + settings.LEASE_LIFETIME
        if units:
            Lease.objects.update_or_create(
                dimension=dimension, holder=holder, defaults={"units": units, "expires_at": expires_at}
            )
        elif lease is not None:
            lease.delete()
        reached = reached_threshold(used=quota.used, soft_limit=quota.soft_limit, hard_limit=quota.hard_limit)
        if reached > quota.alerted:
            tell_threshold(workspace=workspace, dimension=dimension, reached=reached, now=now)
    return Block(units, expires_at, quota.hard_limit, quota.period_end)


def _block(quota: Quota, wanted: int) -> int:
    if wanted <= 0:
        return 0
    block = min(wanted, settings.LEASE_BLOCK_MAX)
    if quota.room is None:
        return block
    return min(block, max(1, quota.room // settings.LEASE_SHARE), quota.room)


def _count(quota: Quota, spent: Mapping[UUID | None, int], *, workspace: Any, source: str, now: datetime) -> None:
    uses, events = [], []
    for app_id, amount in spent.items():
        if amount <= 0:
            continue
        over = overage_of(quota, amount)
        quota.used += amount
        quota.overage += over
        events.append(
            UsageEvent(
                dimension=quota.dimension,
                amount=amount,
                overage=over,
                app_id=app_id,
                source=source,
                occurred_at=now,
                period_start=quota.period_start,
            )
        )
        uses.append(
            new_use(
                workspace=workspace,
                dimension=quota.dimension,
                amount=amount,
                source=source,
                occurred_at=now,
                app_id=app_id,
            )
        )
    UsageEvent.objects.bulk_create(events)
    AppUsage.objects.add(uses)
