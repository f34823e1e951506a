"""Workflows and runs in a workspace's console."""

from typing import ClassVar

from django.contrib import admin

from apps.common.admin import WorkspaceAdmin, workspace_site
from apps.workflows.models import Run, StepRun, Workflow


@admin.register(Workflow, site=workspace_site)
class WorkflowAdmin(WorkspaceAdmin):
    """Steps under a name."""

    view_code: ClassVar[str] = "workflows.view"
    list_display = ("name", "slug", "revision", "updated_at")
    search_fields = ("name", "slug")
    ordering = ("-created_at", "-id")


@admin.register(Run, site=workspace_site)
class RunAdmin(WorkspaceAdmin):
    """What ran, with its result."""

    view_code: ClassVar[str] = "runs.view"
    list_display = ("created_at", "status", "trigger", "workflow", "action", "finished_at")
    list_display_links = ("created_at", "status")
    list_filter = ("status", "trigger")
    list_select_related = ("workflow",)
    search_fields = ("id", "workflow__name", "action")
    ordering = ("-created_at", "-id")


@admin.register(StepRun, site=workspace_site)
class StepRunAdmin(WorkspaceAdmin):
    """The attempts at each step of a run."""

    view_code: ClassVar[str] = "runs.view"
    list_display = ("started_at", "step", "attempt", "status", "run")
    list_display_links = ("started_at", "step")
    list_filter = ("status",)
    list_select_related = ("run",)
    search_fields = ("step", "run__id")
    ordering = ("-started_at", "-id")
