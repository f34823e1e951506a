"""How workspaces use what their plans allow, and where the count was wrong: as it was gathered, never read live."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import F, FloatField, QuerySet
from django.db.models.functions import Cast, Coalesce, NullIf
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import format_html
from unfold.decorators import display

from apps.common.admin import PlatformAdmin, platform_site
from apps.common.admin.filters import DaysFilter
from apps.common.admin.workspace_column import NamesWorkspaces
from apps.common.amounts import describe_amount
from apps.plans.admin.filters import DimensionFilter, ShareFilter, SourceFilter, StandingFilter
from apps.plans.models import UsageDrift, WorkspaceUsage

_SOURCES = {"plan": "Plan", "override": "Override", "grace": "Grace"}
_TONES = {"over": "danger", "overage": "warning", "full": "warning", "soft": "warning", "within": "success"}


@admin.register(WorkspaceUsage, site=platform_site)
class WorkspaceUsageAdmin(NamesWorkspaces, PlatformAdmin):
    """Who uses how much, the fullest first."""

    list_display = ("workspace", "dimension", "amount", "how_full", "standing", "limits_from", "as_of")
    list_display_links = ("dimension",)
    list_filter = (DimensionFilter, StandingFilter, ShareFilter, SourceFilter)
    list_filter_submit = True
    list_filter_sheet = True
    list_select_related = ("dimension",)
    search_fields = ("=workspace_id",)
    search_help_text = "A workspace's slug, name or id"
    fields = (
        "workspace",
        "dimension",
        "amount",
        "standing",
        "limits_from",
        "used",
        "reserved",
        "overage",
        "soft_limit",
        "hard_limit",
        "overage_allowed",
        "over_since",
        "period_start",
        "period_end",
        "rolled_up_at",
    )
    readonly_fields = ("workspace", "amount", "standing", "limits_from")

    def get_queryset(self, request: HttpRequest) -> QuerySet[WorkspaceUsage]:
        """With ``share``: percent of the hard limit, else of the soft one, that is used; null without either."""
        ceiling = NullIf(Cast(Coalesce("hard_limit", "soft_limit"), FloatField()), 0.0)
        rows: QuerySet[WorkspaceUsage] = super().get_queryset(request)
        return rows.annotate(share=100.0 * F("used") / ceiling)

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return [F("share").desc(nulls_last=True), "workspace_id", "dimension_id"]

    def title_of(self, row: WorkspaceUsage) -> str:
        return f"{row.dimension}, {self.amount(row)}, of {row.workspace_id}"

    @display(description="used", ordering="used")
    def amount(self, row: WorkspaceUsage) -> str:
        unit = row.dimension.unit
        used = describe_amount(row.used, unit)
        return f"{used} of {describe_amount(row.hard_limit, unit)}" if row.hard_limit is not None else used

    @display(description="share", ordering="share")
    def how_full(self, row: Any) -> str:
        if row.share is None:
            return "–"
        return render_to_string("plans/share.html", {"percent": int(row.share), "over": row.over_since is not None})

    @display(description="standing", label=_TONES)
    def standing(self, row: WorkspaceUsage) -> tuple[str, str]:
        if row.over_since is not None:
            return "over", "Over its limit"
        if row.overage:
            return "overage", f"{describe_amount(row.overage, row.dimension.unit)} overage"
        if row.hard_limit is not None and not row.overage_allowed and row.used + row.reserved >= row.hard_limit:
            return "full", "At its limit"
        if row.soft_limit is not None and row.used > row.soft_limit:
            return "soft", "Above the soft limit"
        return "within", "Within"

    @display(description="limits from", ordering="limit_source")
    def limits_from(self, row: WorkspaceUsage) -> str:
        return _SOURCES.get(row.limit_source, row.limit_source)

    @display(description="as of", ordering="rolled_up_at")
    def as_of(self, row: WorkspaceUsage) -> str:
        age = str(naturaltime(row.rolled_up_at)).replace("\xa0", " ").split(", ")[0].removesuffix(" ago")
        return format_html('<span class="console-time">{} ago</span>', age)


@admin.register(UsageDrift, site=platform_site)
class UsageDriftAdmin(NamesWorkspaces, PlatformAdmin):
    """Quotas that were wrong when they were proved, and what they were set to."""

    list_display = ("found_at", "workspace", "dimension", "what", "said", "true", "by_how_much")
    list_display_links = ("found_at",)
    list_filter = (DimensionFilter, "what", ("found_at", DaysFilter))
    list_filter_submit = True
    list_filter_sheet = True
    list_select_related = ("dimension",)
    search_fields = ("=workspace_id",)
    search_help_text = "A workspace's slug, name or id"
    fields = ("workspace", "dimension", "what", "said", "true", "by_how_much", "counted", "found", "found_at")
    readonly_fields = ("workspace", "said", "true", "by_how_much")

    @display(description="the quota said", ordering="counted")
    def said(self, row: UsageDrift) -> str:
        return describe_amount(row.counted, row.dimension.unit)

    @display(description="true was", ordering="found")
    def true(self, row: UsageDrift) -> str:
        return describe_amount(row.found, row.dimension.unit)

    @display(description="wrong by")
    def by_how_much(self, row: UsageDrift) -> str:
        shown = describe_amount(abs(row.difference), row.dimension.unit)
        return f"{shown} too {'much' if row.difference > 0 else 'little'}"
