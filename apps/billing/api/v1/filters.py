"""What lists of use can be narrowed by."""

from __future__ import annotations

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django_filters import CharFilter, ChoiceFilter

from apps.billing.api.v1.ranges import read_moment, require_order
from apps.billing.models import AppUsage, Reservation, UsageEvent
from apps.billing.services.quotas import require_dimension
from apps.billing.states import ReservationStatus
from apps.common.api.filters import Filters
from apps.common.errors import InvalidInput
from apps.common.ids import parse_id
from apps.workspaces.services.default_app import find_app


def require_app(workspace: Any, reference: str) -> UUID:
    """The id of the app of ``workspace`` with this id or slug. Raises InvalidInput."""
    app_id = None if "\x00" in reference else find_app(workspace, reference)
    if app_id is None:
        raise InvalidInput.at("/app", "unknown_app", "There is no such app in this workspace.")
    return app_id


class _OfUse(Filters):
    dimension = CharFilter(method="of_dimension")
    app = CharFilter(method="of_app", help_text="An app's slug or id; by its id also one that is gone.")

    def of_dimension(self, rows: QuerySet[Any], _name: str, code: str) -> QuerySet[Any]:
        return rows.filter(dimension=require_dimension(code).code)

    def of_app(self, rows: QuerySet[Any], _name: str, reference: str) -> QuerySet[Any]:
        return rows.filter(app_id=parse_id(reference) or require_app(self.view.workspace, reference))

    @property
    def view(self) -> Any:
        return self.request.parser_context["view"]


class ReservationFilters(_OfUse):
    status = ChoiceFilter(choices=ReservationStatus.choices)

    class Meta:
        model = Reservation
        fields: list[str] = []


class _InTime(_OfUse):
    """``from`` is a word of Python's, so it can't be written as an attribute; both are read by ``filter_queryset``."""

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        zone = ZoneInfo(self.view.workspace.time_zone)
        start, end = (read_moment(self.data, name, zone=zone) for name in ("from", "to"))
        require_order(start, end)
        narrowed: QuerySet[Any] = super().filter_queryset(queryset)
        if start is not None:
            narrowed = narrowed.filter(occurred_at__gte=start)
        return narrowed if end is None else narrowed.filter(occurred_at__lt=end)


def _pass(rows: QuerySet[Any], _name: str, _value: str) -> QuerySet[Any]:
    return rows


def _moments() -> dict[str, CharFilter]:
    return {
        "from": CharFilter(method=_pass, help_text="From this day or moment on."),
        "to": CharFilter(method=_pass, help_text="Before this day or moment."),
    }


class _Entries(_InTime):
    source = CharFilter(help_text="`api`, `correction`, or a part of the platform.")
    key = CharFilter(field_name="idempotency_key", strip=False)

    class Meta:
        model = UsageEvent
        fields: list[str] = []


UsageEventFilters = type(
    "UsageEventFilters",
    (_Entries,),
    {"__module__": __name__, "__doc__": "By dimension, app, source, key and time.", **_moments()},
)


class _Buckets(Filters):
    """The range as a whole is read by ``read_window``: it has defaults, and limits that depend on the bucket."""

    bucket = ChoiceFilter(choices=AppUsage.Bucket.choices, method=_pass, help_text="Without it, day.")


class _AppSums(_Buckets, _OfUse):
    class Meta:
        model = AppUsage
        fields: list[str] = []


class _Totals(_Buckets):
    dimension = CharFilter()

    class Meta:
        model = AppUsage
        fields: list[str] = []


AppUsageFilters = type(
    "AppUsageFilters",
    (_AppSums,),
    {"__module__": __name__, "__doc__": "By bucket, time, dimension and app.", **_moments()},
)
TotalFilters = type(
    "TotalFilters",
    (_Totals,),
    {"__module__": __name__, "__doc__": "By bucket, time and dimension.", **_moments()},
)
