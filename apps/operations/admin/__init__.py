"""Slow work in the consoles."""

from apps.operations.admin.tables import PlatformOperationAdmin, WorkspaceOperationAdmin

__all__ = ["PlatformOperationAdmin", "WorkspaceOperationAdmin"]
