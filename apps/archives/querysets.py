"""The filters on exports and imports."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models

from apps.archives.states import ExportStatus, ImportStatus

if TYPE_CHECKING:
    from apps.archives.models import WorkspaceExport, WorkspaceImport  # noqa: F401 - named in strings


class ExportQuerySet(models.QuerySet["WorkspaceExport"]):
    """Exports."""

    def of_workspace(self, workspace_id: UUID) -> Self:
        return self.filter(workspace_id=workspace_id)

    def stored(self) -> Self:
        """Those whose archive may still lie in the storage."""
        return self.filter(status__in=[ExportStatus.READY, ExportStatus.FAILED])

    def to_expire(self, now: datetime) -> Self:
        return self.stored().filter(expires_at__lte=now)


class ImportQuerySet(models.QuerySet["WorkspaceImport"]):
    """Imports."""

    def waiting_of(self, owner_id: UUID) -> Self:
        """What a person has brought that is neither imported nor given up."""
        return self.filter(owner_id=owner_id, status=ImportStatus.RECEIVED)

    def to_expire(self, now: datetime) -> Self:
        return self.filter(status=ImportStatus.FAILED, expires_at__lte=now)
