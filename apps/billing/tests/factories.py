"""Quotas as tests need them."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from apps.billing.models import Quota
from apps.billing.services.quotas import find_quota
from apps.common.tenancy import enter


def set_limit(workspace: Any, dimension: str, hard: int | None, *, overage: bool = False) -> Quota:
    """Set the hard limit that holds in the workspace from now on, without a grace."""
    now = timezone.now()
    with enter(workspace):
        quota = find_quota(workspace=workspace, dimension=dimension, now=now)
        quota.soft_limit, quota.hard_limit, quota.overage_allowed = None, hard, overage
        over = hard is not None and not overage and quota.used + quota.reserved > hard
        quota.over_since = now if over else None
        quota.save()
    return quota


def quota_of(workspace: Any, dimension: str) -> Quota:
    """The quota's row, as it stands."""
    with enter(workspace):
        quota: Quota = Quota.objects.get(dimension=dimension)
    return quota
