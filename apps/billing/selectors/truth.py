"""What quotas ought to say: sums of the ledger and of what is held, beside what they do say, from one snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import BigIntegerField, F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from apps.billing.models import Lease, Quota, Reservation, UsageEvent


@dataclass(frozen=True, slots=True)
class Sums:
    """A quota's three numbers, and each as it is found from what it sums up."""

    dimension: str
    kind: str
    used: int
    overage: int
    reserved: int
    found_used: int
    found_overage: int
    found_reserved: int

    @property
    def agree(self) -> bool:
        return (self.used, self.overage, self.reserved) == (
            self.found_used,
            self.found_overage,
            self.found_reserved,
        )


def sum_up(dimensions: Iterable[str] | None = None) -> list[Sums]:
    """The sums of all quotas of the entered workspace, or of some. One statement, and so one snapshot: a use that is
    counted meanwhile is in both sides or in neither."""
    quotas = Quota.objects.all() if dimensions is None else Quota.objects.filter(dimension__in=list(dimensions))
    entries = UsageEvent.objects.filter(dimension=OuterRef("dimension"), period_start=OuterRef("period_start"))
    held = Reservation.objects.held().filter(dimension=OuterRef("dimension"))
    leased = Lease.objects.filter(dimension=OuterRef("dimension"))
    rows = quotas.annotate(
        found_used=_total(entries, "amount"),
        found_overage=_total(entries, "overage"),
        found_reserved=_total(held, "amount") + _total(leased, "units"),
    )
    names = tuple(Sums.__slots__)
    return [Sums(*row) for row in rows.order_by("dimension").values_list(*names)]


def _total(rows: QuerySet[Quota], column: str) -> Coalesce:
    summed = rows.order_by().values("dimension").annotate(total=Sum(F(column))).values("total")
    return Coalesce(Subquery(summed, output_field=BigIntegerField()), 0)
