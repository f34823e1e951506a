"""Operations in both consoles: lists, and a page that follows the work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from apps.common.admin import Act, PlatformAdmin, WorkspaceAdmin, platform_site, workspace_site
from apps.common.admin.filters import DaysFilter
from apps.common.admin.sites import workspace_grant
from apps.common.admin.workspace_column import NamesWorkspaces, link_workspace
from apps.operations.admin.acts import ACTS
from apps.operations.admin.filters import KindFilter, QueueFilter, StatusFilter
from apps.operations.admin.showing import TONES, describe_result, show_operation
from apps.operations.models import Operation
from apps.operations.services.kinds import find_kind, registered_kinds
from apps.operations.services.rights import may_manage


class _Operations:
    """What both consoles show."""

    list_display: Sequence[str] = ("what", "state", "how_far", "target", "queue", "age")
    list_display_links = ("what",)
    list_filter = (("status", StatusFilter), KindFilter, QueueFilter, ("created_at", DaysFilter))
    list_filter_submit = True
    list_filter_sheet = True
    search_fields = ("kind", "message", "target_id", "=id", "=workspace_id")
    search_help_text: str | None = "Kind, sentence, target or id"
    ordering = ("-created_at", "-id")
    acts: ClassVar[Sequence[Act]] = ACTS
    change_form_outer_before_template = "operations/operation.html"
    #: What never changes; the rest is on top, where it is kept up to date.
    fieldsets = (
        (
            "As it was asked for",
            {"fields": ("id", "kind", "group", "target_kind", "target_id", "priority", "params_pretty")},
        ),
    )

    @display(description="what", ordering="kind")
    def what(self, row: Operation) -> str:
        kind = find_kind(row.kind)
        return kind.title if kind else row.kind

    @display(description="status", ordering="status", label={str(state): tone for state, tone in TONES.items()})
    def state(self, row: Operation) -> tuple[str, str]:
        return row.status, row.get_status_display()

    @display(description="progress", ordering="progress")
    def how_far(self, row: Operation) -> SafeString:
        return render_to_string("operations/progress.html", {"operation": row, "compact": True})

    @display(description="target", ordering="target_kind")
    def target(self, row: Operation) -> str:
        return format_html(
            '<span class="console-clip" title="{0}">{1} {0}</span>', row.target_id, row.target_kind.replace("_", " ")
        )

    @display(description="asked for", ordering="created_at")
    def age(self, row: Operation) -> str:
        exact = f"{row.created_at:%Y-%m-%d %H:%M:%S} UTC"
        return format_html('<time class="console-time" title="{}">{}</time>', exact, _roughly(row.created_at))

    def title_of(self, row: Operation) -> str:
        return f"{self.what(row)}, {row.get_status_display().lower()}, {row.target_kind} {row.target_id}"

    def get_search_results(
        self: Any, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By what is stored, and by what people read: the kinds' titles."""
        found, duplicates = super().get_search_results(request, queryset, search_term)  # type: ignore[misc]
        more = self.also_called(search_term.strip().lower()) if search_term.strip() else None
        return (found | queryset.filter(more) if more else found), duplicates

    def also_called(self, text: str) -> Q:
        """Operations that people would call so, though no column says it."""
        return Q(kind__in=[kind.name for kind in registered_kinds() if text in kind.title.lower()])

    def get_urls(self: Any) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.follow)
        own = path("<path:object_id>/now/", view, name="operations_operation_now")
        return [own, *super().get_urls()]  # type: ignore[misc]

    def follow(self: Any, request: HttpRequest, object_id: str) -> HttpResponse:
        """How it stands now: the part of its page that a browser asks for again and again."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        response = TemplateResponse(request, "operations/operation.html", self.present(request, row))
        response["Cache-Control"] = "no-store"
        return response

    def changeform_view(
        self: Any, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        row = self.get_object(request, unquote(object_id)) if object_id else None
        context = self.present(request, row) if row is not None else {}
        return super().changeform_view(  # type: ignore[misc]
            request, object_id, form_url, {**context, **(extra_context or {})}
        )

    def present(self: Any, request: HttpRequest, row: Operation) -> dict[str, Any]:
        """What the page's template is given."""
        shown = show_operation(row, now=timezone.now())
        return {
            "title": shown.title,
            "operation": row,
            "result": describe_result(row.result),
            "shown": shown,
            "acts": self.links_to_acts(request, row),
            "follow": reverse("admin:operations_operation_now", args=[row.pk]),
            "workspace_link": self.workspace_link(row),
        }

    def workspace_link(self, row: Operation) -> str:
        """The workspace's name with the way to it; empty inside of its own console."""
        return ""


@admin.register(Operation, site=platform_site)
class PlatformOperationAdmin(_Operations, NamesWorkspaces, PlatformAdmin):
    """All slow work."""

    list_display = ("what", "state", "how_far", "target", "workspace", "queue", "age")
    search_help_text = "Kind, sentence, target, id or workspace"

    def workspace_link(self, row: Operation) -> str:
        return link_workspace(row.workspace_id)


@admin.register(Operation, site=workspace_site)
class WorkspaceOperationAdmin(_Operations, WorkspaceAdmin):
    """This workspace's slow work."""

    view_code: ClassVar[str] = "operations.view"
    workspace_lookup: ClassVar[str] = "workspace_id"

    def acts_for(self, request: HttpRequest, row: Operation) -> list[Act]:
        """Those of the table, for members who may ask for such work."""
        grant = workspace_grant(request)
        return super().acts_for(request, row) if grant is not None and may_manage(grant, row.kind) else []


def _roughly(moment: datetime) -> str:
    """How long ago, in its largest unit."""
    return str(naturaltime(moment)).replace("\xa0", " ").split(", ")[0].removesuffix(" ago") + " ago"
