"""What lists of use are narrowed by."""

from __future__ import annotations

from typing import Any

from django.db.models import F, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from apps.plans.selectors.dimensions import known_dimensions


class DimensionFilter(DropdownFilter):
    """By what is metered; the choices are known, never looked up among all rows."""

    title = "dimension"
    parameter_name = "dimension"
    #: The dimension's code in the table.
    column = "dimension_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(known.code, known.name) for known in sorted(known_dimensions().values(), key=lambda one: one.name)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


class StandingFilter(DropdownFilter):
    """How use stands to its limit."""

    title = "standing"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("over", "Over its limit"),
            ("overage", "In overage"),
            ("above_soft", "Above the soft limit"),
            ("within", "Within its limit"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "over":
                return queryset.filter(over_since__isnull=False)
            case "overage":
                return queryset.filter(overage__gt=0)
            case "above_soft":
                return queryset.filter(used__gt=F("soft_limit"))
            case "within":
                return queryset.filter(over_since=None)
        return queryset


class ShareFilter(DropdownFilter):
    """By how much of its limit is used."""

    title = "share of the limit"
    parameter_name = "share"
    _LEAST = (50, 80, 95, 100)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(percent), f"{percent} % or more") for percent in self._LEAST]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() in {str(percent) for percent in self._LEAST}:
            return queryset.filter(share__gte=int(self.value()))
        return queryset


class SourceFilter(DropdownFilter):
    """By where the limits come from."""

    title = "limits from"
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("plan", "The plan"), ("override", "An override"), ("grace", "A grace")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(limit_source=self.value()) if self.value() else queryset
