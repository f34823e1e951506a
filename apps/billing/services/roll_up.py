"""What operators see of quotas without reading workspaces."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from apps.billing.models import Quota
from apps.plans.services.usage import QuotaState, roll_up


def roll_up_quotas(quotas: Iterable[Quota], *, workspace: Any, now: datetime) -> None:
    """Write these quotas of the workspace, as they are, into the operators' roll-up."""
    roll_up(workspace_id=workspace.id, states=[_state(quota) for quota in quotas], now=now)


def _state(quota: Quota) -> QuotaState:
    return QuotaState(
        dimension_id=quota.dimension,
        soft_limit=quota.soft_limit,
        hard_limit=quota.hard_limit,
        overage_allowed=quota.overage_allowed,
        limit_source=quota.limit_source,
        used=quota.used,
        reserved=quota.reserved,
        overage=quota.overage,
        period_start=quota.period_start,
        period_end=quota.period_end,
        over_since=quota.over_since,
    )
