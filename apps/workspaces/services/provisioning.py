"""Finishing workspaces for which no schema stood ready: the steps of the operation `workspaces.finish`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from apps.common.schema_ddl import create_schema
from apps.operations.errors import StepFailed
from apps.operations.services.kinds import StepContext
from apps.workspaces.models import Workspace
from apps.workspaces.services.creation import open_workspace
from apps.workspaces.states import WorkspaceStatus


def make_schema_step(context: StepContext) -> dict[str, Any]:
    """Make the workspace's schema. The row stays locked, so a late worker can't replace a schema that is in use."""
    with transaction.atomic():
        workspace = _lock(context.target)
        if workspace.status != WorkspaceStatus.PROVISIONING:
            return {"fingerprint": workspace.fingerprint}
        return {"fingerprint": create_schema(workspace.schema_name)}


def open_step(context: StepContext) -> dict[str, Any]:
    """Make what every workspace is born with and let people in."""
    with transaction.atomic():
        workspace = _lock(context.target)
        if workspace.status == WorkspaceStatus.PROVISIONING:
            workspace.move_to(WorkspaceStatus.ACTIVE, fingerprint=context.results["make_schema"]["fingerprint"])
            open_workspace(workspace=workspace, actor=context.actor, now=context.clock())
    return {"workspace": str(workspace.pk)}


def mark_failed(context: StepContext) -> None:
    """The operation failed for good."""
    workspace = _lock(context.target)
    if workspace.status == WorkspaceStatus.PROVISIONING:
        workspace.move_to(WorkspaceStatus.FAILED)


def mark_provisioning(context: StepContext) -> None:
    """Somebody tries again."""
    workspace = _lock(context.target)
    if workspace.status == WorkspaceStatus.FAILED:
        workspace.move_to(WorkspaceStatus.PROVISIONING)


def _lock(workspace_id: UUID) -> Workspace:
    workspace = Workspace.objects.select_for_update().filter(pk=workspace_id).first()
    if workspace is None:
        raise StepFailed("This workspace is not there any more.", code="workspace_gone")
    found: Workspace = workspace
    return found
