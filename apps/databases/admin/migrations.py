"""Migrations of databases in the consoles."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from apps.common.admin import PlatformAdmin, WorkspaceAdmin, platform_site, workspace_site
from apps.databases.models import SchemaMigration


class _Migrations:
    list_display: tuple[str, ...] = ("version", "name", "database", "applied_at", "milliseconds")
    list_select_related = ("database",)
    search_fields = ("name", "database__name", "=checksum", "=operation_id")
    ordering = ("-applied_at", "-version")
    date_hierarchy = "applied_at"


@admin.register(SchemaMigration, site=platform_site)
class MigrationAdmin(_Migrations, PlatformAdmin):
    """What every database has had."""


@admin.register(SchemaMigration, site=workspace_site)
class WorkspaceMigrationAdmin(_Migrations, WorkspaceAdmin):
    """What the workspace's database has had."""

    list_display = ("version", "name", "applied_at", "milliseconds")
    view_code: ClassVar[str] = "databases.view"
    workspace_lookup: ClassVar[str] = "database__workspace"
