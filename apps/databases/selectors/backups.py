"""Backups as they are listed."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from apps.databases.models import Backup


def backups_of(workspace_id: UUID) -> QuerySet[Backup]:
    """All backups of a workspace, without what is large."""
    return Backup.objects.of_workspace(workspace_id).defer("manifest", "sealed_key")
