"""How workspaces use what they may, as it was gathered from them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Q, QuerySet

from apps.plans.models import UsageDrift, WorkspaceUsage


@dataclass(frozen=True, slots=True)
class Above:
    """Who uses more of a dimension than a limit: how many whose limits are their plan's, how many with limits of their
    own, how many are known at all, and the first of all these, the largest first."""

    planned: int
    overridden: int
    known: int
    first: list[WorkspaceUsage]


def usage_above(*, dimension: str, limit: int, among: QuerySet[Any], show: int) -> Above:
    """Who ``among`` these workspaces (a query of their ids) uses and holds more than ``limit``; ``show`` of them are
    listed. Two queries, however many there are."""
    rows = WorkspaceUsage.objects.filter(dimension_id=dimension, workspace_id__in=among)
    rows = rows.annotate(total=F("used") + F("reserved"))
    above, own = Q(total__gt=limit), Q(limit_source="override")
    counts = rows.aggregate(
        planned=Count("pk", filter=above & ~own), overridden=Count("pk", filter=above & own), known=Count("pk")
    )
    return Above(**counts, first=list(rows.filter(above).order_by("-total", "workspace_id")[:show]))


def count_over_limit() -> int:
    """How many workspaces use more than a hard limit of theirs."""
    over = WorkspaceUsage.objects.filter(over_since__isnull=False)
    return over.order_by().values("workspace_id").distinct().count()


def count_drift(*, since: datetime) -> int:
    """How often a quota was found wrong since then."""
    return UsageDrift.objects.filter(found_at__gte=since).count()
