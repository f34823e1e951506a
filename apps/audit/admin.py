"""The trails in the consoles."""

from typing import ClassVar

from django.contrib import admin

from apps.audit.models import AuditEvent
from apps.common.admin import PlatformAdmin, WorkspaceAdmin, platform_site, workspace_site


class _AuditEvents:
    list_display = ("at", "actor_name", "action", "target_kind", "target_name", "impersonator_name")
    list_display_links = ("at", "action")
    list_filter = ("action", "actor_kind", "target_kind")
    search_fields = ("actor_name", "action", "target_name", "target_id", "request_id")
    ordering = ("-at", "-id")


@admin.register(AuditEvent, site=platform_site)
class PlatformAuditAdmin(_AuditEvents, PlatformAdmin):
    """What happened to the platform and to workspaces as a whole."""


@admin.register(AuditEvent, site=workspace_site)
class WorkspaceAuditAdmin(_AuditEvents, WorkspaceAdmin):
    """What happened in this workspace."""

    view_code: ClassVar[str] = "audit.view"
