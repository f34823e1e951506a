"""Reading archives."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from apps.archives.models import WorkspaceExport

if TYPE_CHECKING:
    from apps.archives.querysets import ExportQuerySet


def exports_of(workspace_id: UUID) -> ExportQuerySet:
    """What was exported of a workspace."""
    found: ExportQuerySet = WorkspaceExport.objects.of_workspace(workspace_id)
    return found
