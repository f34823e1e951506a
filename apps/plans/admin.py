"""Plans in the operators' console."""

from django.contrib import admin
from unfold.admin import TabularInline

from apps.common.admin import PlatformAdmin, platform_site
from apps.plans.models import Dimension, Plan, PlanLimit


class PlanLimitInline(TabularInline):
    """A plan's limits, on its page."""

    model = PlanLimit
    fields = ("dimension", "soft_limit", "hard_limit", "overage", "label")
    readonly_fields = fields
    can_delete = False
    extra = 0
    max_num = 0

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
class PlanLimitAdmin(PlatformAdmin):
    """All limits, to compare plans."""

    list_display = ("plan", "dimension", "soft_limit", "hard_limit", "overage")
    list_filter = ("plan", "dimension")
    list_select_related = ("plan", "dimension")
    search_fields = ("plan__name", "dimension__code")
