"""Visits in a workspace's console."""

from typing import ClassVar

from django.contrib import admin

from apps.common.admin import WorkspaceAdmin, workspace_site
from apps.runtime.models import RuntimeEvent, Session


@admin.register(Session, site=workspace_site)
class SessionAdmin(WorkspaceAdmin):
    """Who visited."""

    view_code: ClassVar[str] = "apps.view"
    list_display = ("started_at", "app_id", "user_id", "address", "last_seen_at", "expires_at")
    search_fields = ("=id", "=app_id", "=user_id", "address")


@admin.register(RuntimeEvent, site=workspace_site)
class RuntimeEventAdmin(WorkspaceAdmin):
    """What visitors did."""

    view_code: ClassVar[str] = "apps.view"
    list_display = ("at", "kind", "app_id", "version", "status", "milliseconds")
    list_display_links = ("at", "kind")
    list_filter = ("kind", "status")
    search_fields = ("=app_id", "=session_id", "=run_id")
