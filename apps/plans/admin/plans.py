"""Plans in the operators' console."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.decorators import display

from apps.common.admin import PlatformAdmin, platform_site
from apps.common.amounts import describe_amount
from apps.plans.models import Dimension, Plan, PlanLimit


class _Limits:
    """Limits in the unit of their dimension."""

    @display(description="soft limit", ordering="soft_limit")
    def soft(self, row: PlanLimit) -> str:
        return _describe_limit(row.soft_limit, row.dimension.unit, "none")

    @display(description="hard limit", ordering="hard_limit")
    def hard(self, row: PlanLimit) -> str:
        return _describe_limit(row.hard_limit, row.dimension.unit, "unlimited")


class PlanLimitInline(_Limits, TabularInline):
    """A plan's limits, on its page."""

    model = PlanLimit
    fields = ("limit", "soft", "hard", "overage", "label")
    readonly_fields = fields
    can_delete = False
    hide_title = True
    extra = 0
    max_num = 0

    @display(description="dimension")
    def limit(self, row: PlanLimit) -> str:
        address = reverse("admin:plans_planlimit_change", args=[row.pk])
        return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', address, row.dimension)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanLimit]:
        rows: QuerySet[PlanLimit] = super().get_queryset(request).select_related("plan", "dimension")
        return rows

    def has_view_permission(self, request: object, obj: object = None) -> bool:
        return True


@admin.register(Dimension, site=platform_site)
class DimensionAdmin(PlatformAdmin):
    """What is counted."""

    list_display = ("code", "name", "unit", "kind", "reset", "on_failure")
    list_filter = ("kind", "reset")
    search_fields = ("code", "name")


@admin.register(Plan, site=platform_site)
class PlanAdmin(PlatformAdmin):
    """What workspaces may use."""

    list_display = ("code", "name", "description", "running_operations", "position")
    search_fields = ("code", "name")
    inlines = (PlanLimitInline,)


@admin.register(PlanLimit, site=platform_site)
class PlanLimitAdmin(_Limits, PlatformAdmin):
    """All limits, to compare plans."""

    list_display = ("__str__", "plan", "dimension", "soft", "hard", "overage")
    fields = ("plan", "dimension", "soft", "hard", "overage", "label")
    readonly_fields = ("soft", "hard")
    list_filter = ("plan", "dimension")
    list_select_related = ("plan", "dimension")
    search_fields = ("plan__name", "dimension__code")


def _describe_limit(limit: int | None, unit: str, none: str) -> str:
    return none if limit is None else describe_amount(limit, unit)
