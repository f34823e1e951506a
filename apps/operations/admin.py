"""Slow work in the consoles."""

from typing import ClassVar

from django.contrib import admin

from apps.common.admin import PlatformAdmin, WorkspaceAdmin, platform_site, workspace_site
from apps.operations.models import Operation


class _Operations:
    list_display = ("kind", "status", "progress", "message", "target_kind", "target_id", "attempt", "created_at")
    list_filter = ("status", "kind")
    search_fields = ("kind", "message", "target_id", "=id", "=workspace_id")
    ordering = ("-created_at", "-id")


@admin.register(Operation, site=platform_site)
class PlatformOperationAdmin(_Operations, PlatformAdmin):
    """All slow work."""


@admin.register(Operation, site=workspace_site)
class WorkspaceOperationAdmin(_Operations, WorkspaceAdmin):
    """This workspace's slow work."""

    view_code: ClassVar[str] = "operations.view"
    workspace_lookup: ClassVar[str] = "workspace_id"
