"""Units leased in blocks, for what happens too often to ask for each: a process spends them by itself, and reports.

A lease is part of the quota's ``reserved``, so that all processes together never hold more than there is. Reporting
moves what was spent from reserved to used, and is where blocks grow and shrink. The process's side is ``metering``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Min

from apps.billing.models import AppUsage, Lease, Quota, UsageEvent
from apps.billing.querysets import Use
from apps.billing.services.ledger import new_use, overage_of
from apps.billing.services.notices import tell_threshold
from apps.billing.services.quotas import give_back_expired, lock_quota, save_use
from apps.workspaces.services.due_work import DueItem, schedule_work

DUE_KIND = "billing.leases"


@dataclass(frozen=True, slots=True)
class Block:
    """What a holder may spend from now on, until ``expires_at``: ``units``, of which it ``kept`` some. The rest says
    how the quota stands with it: ``limit`` None is unlimited, ``resets_at`` None never."""

    units: int
    kept: int
    expires_at: datetime
    limit: int | None
    used: int
    reserved: int
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
    keep: int = 0,
    needed: int = 1,
    report: str | None = None,
    repeated: bool = False,
) -> Block:
    """Report what ``holder`` spent, by app, and hold up to ``wanted`` units for it from now on, in one transaction.

    What was spent is counted in any case: it happened. The block has at least ``needed`` units while there is room for
    them, and at most LEASE_BLOCK_MAX or the LEASE_SHARE-th part of the room. It is never below the ``keep`` units that
    the holder goes on spending meanwhile (``wanted`` and ``needed`` include them), unless its lease has expired.
    ``wanted=0, keep=0`` gives all of it back.

    ``report`` names a report once and for ever: sent again as ``repeated``, because nobody knows whether it arrived, it
    counts once.
    """
    with transaction.atomic():
        quota = lock_quota(workspace=workspace, dimension=dimension, now=now)
        give_back_expired(quota, now=now)
        lease: Lease | None = Lease.objects.select_for_update().filter(dimension=dimension, holder=holder).first()
        held = lease.units if lease is not None else 0
        quota.reserved -= held
        if not (repeated and UsageEvent.objects.filter(idempotency_key=report).exists()):
            _count(quota, spent, workspace=workspace, source=source, report=report, now=now)
        kept = min(keep, held)
        units = max(kept, _block(quota, wanted, needed))
        quota.reserved += units
        save_use(quota, now=now)
        expires_at = now + settings.LEASE_LIFETIME
        if lease is None and units:
            lease = Lease(dimension=dimension, holder=holder, units=units, expires_at=expires_at)
            lease.save(force_insert=True)
            # Should the holder die, and nobody ask for units again: what it held comes back all the same.
            due_at = expires_at + settings.LEASE_SWEEP
            schedule_work(workspace_id=workspace.id, kind=DUE_KIND, due_at=due_at, target=dimension)
        elif lease is not None and units:
            lease.units, lease.expires_at = units, expires_at
            lease.save(update_fields=["units", "expires_at"])
        elif lease is not None:
            lease.delete()
        tell_threshold(quota, workspace=workspace, dimension=dimension, now=now)
    return Block(units, kept, expires_at, quota.hard_limit, quota.used, quota.reserved, quota.period_end)


def sweep_leases(item: DueItem) -> datetime | None:
    """Handle what is due: give back what silent holders leased of a dimension. Due again while somebody holds one."""
    with transaction.atomic():
        quota = lock_quota(workspace=item.workspace, dimension=item.target, now=item.now)
        give_back_expired(quota, now=item.now)
        first = Lease.objects.filter(dimension=item.target).aggregate(first=Min("expires_at"))["first"]
    return None if first is None else first + settings.LEASE_SWEEP


def _block(quota: Quota, wanted: int, needed: int) -> int:
    if wanted <= 0:
        return 0
    block = min(max(wanted, needed), settings.LEASE_BLOCK_MAX)
    if quota.room is None:
        return block
    return min(block, max(needed, quota.room // settings.LEASE_SHARE), quota.room)


def _count(
    quota: Quota,
    spent: Mapping[UUID | None, int],
    *,
    workspace: Any,
    source: str,
    report: str | None,
    now: datetime,
) -> None:
    """Count a report. Its first entry bears its name: all of them were written, or none."""
    uses: list[Use] = []
    events: list[UsageEvent] = []
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
                idempotency_key=None if events else report,
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
