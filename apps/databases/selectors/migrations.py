"""What migrations a workspace's database has had."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from apps.databases.models import SchemaMigration, WorkspaceDatabase
from apps.databases.states import DatabaseStatus


def applied_migrations(*, workspace_id: UUID) -> QuerySet[SchemaMigration]:
    """Those of the workspace's database; none while it has no database."""
    present = WorkspaceDatabase.objects.of_workspace(workspace_id).present()
    migrations: QuerySet[SchemaMigration] = SchemaMigration.objects.filter(database__in=present)
    return migrations


def database_revision(workspace_id: UUID) -> int | None:
    """The version of the last migration that the workspace's database has had; None when none is ready."""
    return (
        WorkspaceDatabase.objects.of_workspace(workspace_id)
        .filter(status=DatabaseStatus.READY)
        .values_list("revision", flat=True)
        .first()
    )
