"""How a workspace stands in each dimension."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from apps.billing.models import Quota, QuotaOverride
from apps.plans.selectors.dimensions import KnownDimension, known_dimensions


@dataclass(frozen=True, slots=True)
class Standing:
    """A quota, the dimension that it is of, and the override that gave it its limits, if one did."""

    quota: Quota
    dimension: KnownDimension
    override: QuotaOverride | None

    @property
    def over_soft_limit(self) -> bool:
        return self.quota.soft_limit is not None and self.quota.used > self.quota.soft_limit

    @property
    def percent(self) -> float | None:
        """How much of the limit is used, rounded down to a tenth so that 100 means all of it; None without a limit,
        and for a limit of nothing."""
        ceiling = self.quota.ceiling
        return self.quota.used * 1000 // ceiling / 10 if ceiling else None


def standings_of(quotas: Iterable[Quota]) -> list[Standing]:
    """The entered workspace's standing in the dimensions of these quotas, which the caller has brought up to date."""
    overrides = {override.dimension: override for override in QuotaOverride.objects.all()}
    known = known_dimensions()
    return [
        Standing(quota, known[quota.dimension], overrides.get(quota.dimension))
        for quota in quotas
        if quota.dimension in known
    ]
