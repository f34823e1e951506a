"""Writing down for operators what was gathered in workspaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from uuid import UUID

from apps.common.tenancy import enter_public
from apps.plans.models import UsageDrift, WorkspaceUsage


@dataclass(frozen=True, slots=True)
class QuotaState:
    """A workspace's quota at a moment; the fields are WorkspaceUsage's."""

    dimension_id: str
    soft_limit: int | None
    hard_limit: int | None
    overage_allowed: bool
    limit_source: str
    used: int
    reserved: int
    overage: int
    period_start: datetime
    period_end: datetime | None
    over_since: datetime | None


_STATE = [field.name for field in fields(QuotaState) if field.name != "dimension_id"]


def roll_up(*, workspace_id: UUID, states: Sequence[QuotaState], now: datetime) -> None:
    """Replace what operators see of a workspace's use, in one statement."""
    rows = [WorkspaceUsage(workspace_id=workspace_id, rolled_up_at=now, **asdict(state)) for state in states]
    with enter_public():
        WorkspaceUsage.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["workspace_id", "dimension"],
            update_fields=[*_STATE, "rolled_up_at"],
        )


def forget_usage(*, workspace_id: UUID) -> None:
    """Delete what is known of a workspace that is purged."""
    with enter_public():
        WorkspaceUsage.objects.filter(workspace_id=workspace_id).delete()
        UsageDrift.objects.filter(workspace_id=workspace_id).delete()


def record_drift(
    *, workspace_id: UUID, dimension: str, what: str, counted: int, found: int, now: datetime
) -> UsageDrift:
    """Write down that a quota was wrong, and by how much."""
    with enter_public():
        return UsageDrift.objects.create(
            workspace_id=workspace_id, dimension_id=dimension, what=what, counted=counted, found=found, found_at=now
        )
