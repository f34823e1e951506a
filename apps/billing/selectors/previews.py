"""Whom a change of limits would concern, before it is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from apps.billing.models import Quota, QuotaOverride
from apps.common.workspace_names import workspace_names
from apps.plans.selectors.limits import Limits
from apps.plans.selectors.usage import Above, usage_above
from apps.workspaces.selectors.directory import count_on_plan, ids_on_plan

#: Workspaces that a preview lists; how many there are is always said.
LISTED = 20


@dataclass(frozen=True, slots=True)
class PlanReach:
    """Whom a limit of a plan would concern: how many are on the plan, who uses more, and what those are called.

    By the roll-up, which is as old as an hour; ``above`` is None for no limit.
    """

    workspaces: int
    above: Above | None
    slugs: Mapping[UUID, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One quota of a workspace and the limits that it would get; ``kept`` where an override stays in their place."""

    quota: Quota
    limits: Limits
    kept: bool

    @property
    def over(self) -> bool:
        """Whether more is used and reserved than the new limit allows."""
        hard = self.limits.hard
        in_use: int = self.quota.used + self.quota.reserved
        return not self.kept and not self.limits.overage and hard is not None and in_use > hard

    @property
    def differs(self) -> bool:
        """Whether the quota's limits would be others than now."""
        quota = self.quota
        now = Limits(quota.soft_limit, quota.hard_limit, quota.overage_allowed)
        return not self.kept and now != self.limits


def reach_of_limit(*, plan_code: str, dimension: str, hard_limit: int | None) -> PlanReach:
    """Who on the plan uses more than this limit. As many queries for many workspaces as for one."""
    workspaces = count_on_plan(plan_code)
    if hard_limit is None:
        return PlanReach(workspaces, None, {})
    above = usage_above(dimension=dimension, limit=hard_limit, among=ids_on_plan(plan_code), show=LISTED)
    slugs = workspace_names().slugs_of({row.workspace_id for row in above.first})
    return PlanReach(workspaces, above, slugs)


def changes_of_plan(quotas: Iterable[Quota], *, limits: Mapping[str, Limits]) -> list[Change]:
    """What these quotas of the entered workspace would come to with a plan's limits (``limits_of_plan``)."""
    overridden = set(overridden_dimensions())
    return [
        Change(quota, limits.get(quota.dimension, Limits()), kept=quota.dimension in overridden) for quota in quotas
    ]


def overridden_dimensions() -> list[str]:
    """The dimensions in which the entered workspace has limits of its own, by code."""
    return list(QuotaOverride.objects.order_by("dimension").values_list("dimension", flat=True))
