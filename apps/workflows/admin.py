"""Workflows and runs in a workspace's console."""

from typing import ClassVar

from django.contrib import admin

from apps.common.admin import WorkspaceAdmin, workspace_site
from apps.workflows.models import Run, StepRun, Workflow


@admin.register(Workflow, site=workspace_site)
class WorkflowAdmin(WorkspaceAdmin):
    """The workspace's workflows."""

    view_code: ClassVar[str] = "workflows.view"
    list_display = ("name", "slug", "revision", "updated_at")
    search_fields = ("name", "slug")


@admin.register(Run, site=workspace_site)
class RunAdmin(WorkspaceAdmin):
    """What ran."""

    view_code: ClassVar[str] = "runs.view"
    list_display = ("created_at", "status", "trigger", "action", "workflow", "finished_at")
    list_filter = ("status", "trigger")
    list_select_related = ("workflow",)
    search_fields = ("=id", "action", "workflow__name", "=app_id")


@admin.register(StepRun, site=workspace_site)
class StepRunAdmin(WorkspaceAdmin):
    """The steps of runs."""

    view_code: ClassVar[str] = "runs.view"
    list_display = ("step", "run", "attempt", "status", "started_at", "finished_at")
    list_filter = ("status",)
    list_select_related = ("run",)
    search_fields = ("=run__id", "step")
