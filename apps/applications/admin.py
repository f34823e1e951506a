"""Apps in a workspace's console."""

from typing import ClassVar

from django.contrib import admin

from apps.applications.models import AccessPolicy, App, AppVersion, Release
from apps.common.admin import WorkspaceAdmin, workspace_site


@admin.register(App, site=workspace_site)
class AppAdmin(WorkspaceAdmin):
    """The workspace's apps."""

    view_code: ClassVar[str] = "apps.view"
    list_display = ("name", "slug", "status", "current_release", "draft_revision", "updated_at")
    list_filter = ("status", "origin")
    list_select_related = ("current_release__version",)
    search_fields = ("name", "slug", "description")


@admin.register(AppVersion, site=workspace_site)
class AppVersionAdmin(WorkspaceAdmin):
    """Every version of every app."""

    view_code: ClassVar[str] = "apps.view"
    list_display = ("__str__", "app", "note", "created_at", "digest")
    list_filter = ("app",)
    list_select_related = ("app",)
    search_fields = ("app__name", "app__slug", "note", "digest")


@admin.register(Release, site=workspace_site)
class ReleaseAdmin(WorkspaceAdmin):
    """What went live, when, by whom."""

    view_code: ClassVar[str] = "apps.view"
    list_display = ("__str__", "app", "version", "note", "at")
    list_filter = ("kind", "app")
    list_select_related = ("app", "version")
    search_fields = ("app__name", "app__slug", "note")


@admin.register(AccessPolicy, site=workspace_site)
class AccessPolicyAdmin(WorkspaceAdmin):
    """Who may visit which app."""

    view_code: ClassVar[str] = "apps.view"
    list_display = ("app", "audience", "visitor_limit", "app_limit", "session_seconds")
    list_filter = ("audience",)
    list_select_related = ("app",)
    search_fields = ("app__name", "app__slug")
    exclude = ("password_hash", "link_token")
