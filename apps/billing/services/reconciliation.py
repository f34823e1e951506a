"""Proving that quotas say what is true, and mending the ones that don't.

The ledger is the truth of what was used; what exists is the truth of a level. A quota that says something else is
brought in line, and what was found is written down for the operators: drift is a fault of the program.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction

from apps.billing.models import Quota
from apps.billing.selectors.truth import sum_up
from apps.billing.services.levels import set_level
from apps.billing.services.quotas import lock_quota, measure_level, refresh_quotas, save_use
from apps.plans.services.usage import record_drift

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Drift:
    """One number of a quota that was wrong. ``what`` is used, overage, reserved or level."""

    dimension: str
    what: str
    counted: int
    found: int


def reconcile(*, workspace: Any, now: datetime) -> list[Drift]:
    """Compare every quota of the entered workspace with its ledger, its holders and reality; returns what was mended.

    What seems wrong is looked at again under the quota's lock before anything is changed.
    """
    quotas = refresh_quotas(workspace=workspace, now=now)
    suspected = [sums.dimension for sums in sum_up() if not sums.agree]
    drifts: list[Drift] = []
    for quota in quotas:
        if quota.dimension in suspected:
            drifts += _mend_sums(quota.dimension, workspace, now)
        if quota.kind != "counter":
            drifts += _mend_level(quota.dimension, workspace, now)
    return drifts


def _mend_sums(dimension: str, workspace: Any, now: datetime) -> list[Drift]:
    with transaction.atomic():
        quota = lock_quota(workspace=workspace, dimension=dimension, now=now)
        (sums,) = sum_up([dimension])
        drifts = [
            Drift(dimension, what, getattr(sums, what), getattr(sums, f"found_{what}"))
            for what in ("used", "overage", "reserved")
            if getattr(sums, what) != getattr(sums, f"found_{what}")
        ]
        for drift in drifts:
            setattr(quota, drift.what, drift.found)
            _write_down(drift, workspace, now)
        if drifts:
            save_use(quota, now=now)
    return drifts


def _mend_level(dimension: str, workspace: Any, now: datetime) -> list[Drift]:
    with transaction.atomic():
        quota: Quota = lock_quota(workspace=workspace, dimension=dimension, now=now)
        level, said = measure_level(quota, workspace), quota.used
        if level == said:
            return []
        set_level(quota, level, workspace=workspace, now=now, source="reconciled")
        drift = Drift(dimension, "level", said, level)
        _write_down(drift, workspace, now)
    return [drift]


def _write_down(drift: Drift, workspace: Any, now: datetime) -> None:
    record_drift(
        workspace_id=workspace.id,
        dimension=drift.dimension,
        what=drift.what,
        counted=drift.counted,
        found=drift.found,
        now=now,
    )
    log.warning(
        "quota_drift",
        workspace=str(workspace.id),
        dimension=drift.dimension,
        what=drift.what,
        counted=drift.counted,
        found=drift.found,
    )
