"""Slow work in the consoles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.contrib import admin

from apps.common.admin import Act, ActContext, PlatformAdmin, WorkspaceAdmin, platform_site, workspace_site
from apps.operations.models import Operation
from apps.operations.services.requests import cancel_operation, retry_operation
from apps.operations.states import OperationStatus


def _cancel(context: ActContext) -> str:
    cancel_operation(operation_id=context.row.pk, actor=context.actor, now=context.now)
    return f"{context.row} is being cancelled: at once while it waits, else before its next step."


def _retry(context: ActContext) -> str:
    retry_operation(operation_id=context.row.pk, actor=context.actor, now=context.now)
    return f"{context.row} goes on from the step that failed."


ACTS = (
    Act(
        name="cancel",
        label="Cancel",
        icon="cancel",
        explanation="A step that is running is finished first; what was done stays consistent.",
        code="operations.manage",
        run=_cancel,
        allowed=lambda row: (
            row.status in {OperationStatus.QUEUED, OperationStatus.RUNNING} and not row.cancel_requested
        ),
        danger=True,
        bulk=True,
    ),
    Act(
        name="retry",
        label="Retry",
        icon="replay",
        explanation="Steps that are done are not repeated.",
        code="operations.manage",
        run=_retry,
        allowed=lambda row: row.status == OperationStatus.FAILED,
        bulk=True,
    ),
)


class _Operations:
    list_display = ("kind", "status", "progress", "message", "target_kind", "target_id", "attempt", "created_at")
    list_filter = ("status", "kind")
    search_fields = ("kind", "message", "target_id", "=id", "=workspace_id")
    ordering = ("-created_at", "-id")
    acts: ClassVar[Sequence[Act]] = ACTS


@admin.register(Operation, site=platform_site)
class PlatformOperationAdmin(_Operations, PlatformAdmin):
    """All slow work."""


@admin.register(Operation, site=workspace_site)
class WorkspaceOperationAdmin(_Operations, WorkspaceAdmin):
    """This workspace's slow work."""

    view_code: ClassVar[str] = "operations.view"
    workspace_lookup: ClassVar[str] = "workspace_id"
