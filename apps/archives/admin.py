"""Exports and imports in the consoles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from apps.archives.api.v1.views import archive_response
from apps.archives.models import WorkspaceExport, WorkspaceImport
from apps.archives.services.exports import delete_export, open_download, request_export
from apps.archives.states import ExportStatus
from apps.common.admin import (
    Act,
    ActContext,
    PlatformAdmin,
    WorkspaceAdmin,
    contribute_act,
    platform_site,
    workspace_site,
)
from apps.common.api.views import actor_of
from apps.common.errors import AppRunError

_CODE = "workspace.export"


def _export(context: ActContext) -> str:
    request_export(workspace=context.row, actor=context.actor, now=context.now)
    return f"{context.row} is being exported; the archive will be among the exports."


def _delete(context: ActContext) -> str:
    export = context.row
    delete_export(workspace=export.workspace, export_id=export.pk, actor=context.actor, now=context.now)
    return f"The export of {export} is deleted."


contribute_act(
    platform_site,
    "workspaces.Workspace",
    Act(
        name="export",
        label="Export",
        icon="archive",
        explanation="Writes its schema and settings into one archive, which can be downloaded for some days.",
        run=_export,
        allowed=lambda row: bool(row.fingerprint),
    ),
)

EXPORT_ACTS = (
    Act(
        name="delete",
        label="Delete the file",
        icon="delete",
        explanation="The archive can't be downloaded any more. That it was made stays in the trail.",
        code=_CODE,
        run=_delete,
        allowed=lambda row: row.status in {ExportStatus.READY, ExportStatus.FAILED},
        danger=True,
        when_not_active=True,
    ),
)


class _Exports:
    """Both lists: what was exported, with the file for those who may have it."""

    list_display: Sequence[str] = ("__str__", "workspace", "status", "size_bytes", "rows", "expires_at", "file")
    list_filter = ("status",)
    list_select_related = ("workspace",)
    search_fields = ("workspace__slug", "=sha256", "=id")
    exclude = ("sealed_key", "storage_name")
    readonly_fields = ("file",)
    acts: ClassVar[Sequence[Act]] = EXPORT_ACTS

    @admin.display(description="file")
    def file(self, row: WorkspaceExport) -> str:
        if row.status != ExportStatus.READY:
            return "–"
        return format_html('<a href="{}">Download</a>', reverse("admin:archives_workspaceexport_file", args=[row.pk]))

    def get_fields(self: Any, request: HttpRequest, obj: Any = None) -> list[Any]:
        return ["file", *super().get_fields(request, obj)]  # type: ignore[misc]

    def get_urls(self: Any) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.download)
        own = path("<path:object_id>/file/", view, name="archives_workspaceexport_file")
        return [own, *super().get_urls()]  # type: ignore[misc]

    def download(self: Any, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The archive, for whoever may see this row; it is in the trail like any other download."""
        export = self.get_object(request, unquote(object_id)) if self.has_view_permission(request) else None
        if export is None:
            raise Http404
        try:
            found, pieces = open_download(
                workspace=export.workspace, export_id=export.pk, actor=actor_of(request), now=timezone.now()
            )
        except AppRunError as error:
            raise Http404(error.detail) from error
        return archive_response(found, pieces, slug=export.workspace.slug)


@admin.register(WorkspaceExport, site=platform_site)
class PlatformExportAdmin(_Exports, PlatformAdmin):
    """All exports."""


@admin.register(WorkspaceExport, site=workspace_site)
class WorkspaceExportAdmin(_Exports, WorkspaceAdmin):
    """What was exported of this workspace."""

    list_display = ("__str__", "status", "size_bytes", "rows", "expires_at", "file")
    view_code: ClassVar[str] = _CODE
    workspace_lookup: ClassVar[str] = "workspace"


@admin.register(WorkspaceImport, site=platform_site)
class PlatformImportAdmin(PlatformAdmin):
    """What was brought, by whom."""

    list_display = ("__str__", "owner", "slug", "status", "size_bytes", "rows", "created_at")
    list_filter = ("status",)
    list_select_related = ("owner",)
    search_fields = ("owner__email", "slug", "=sha256", "=id")
    exclude = ("sealed_key", "storage_name")
