"""Finding a workspace's database."""

from __future__ import annotations

from uuid import UUID

from apps.databases.errors import DatabaseNotFound, DatabaseNotReady
from apps.databases.models import WorkspaceDatabase
from apps.databases.states import PRESENT, DatabaseStatus


def present_database(workspace_id: UUID) -> WorkspaceDatabase:
    """The workspace's database, in whatever state, with its server. Raises DatabaseNotFound."""
    found = WorkspaceDatabase.objects.of_workspace(workspace_id).present().select_related("server", "workspace").first()
    if found is None:
        raise DatabaseNotFound
    database: WorkspaceDatabase = found
    return database


def ready_database(workspace_id: UUID) -> WorkspaceDatabase:
    """The same, when it can be used now. Raises DatabaseNotFound, DatabaseNotReady."""
    database = present_database(workspace_id)
    if database.status != DatabaseStatus.READY:
        raise DatabaseNotReady(f"The workspace's database is {database.status}.")
    return database


def count_databases(workspace_id: UUID) -> int:
    """How many databases the workspace has: none or one."""
    return WorkspaceDatabase.objects.of_workspace(workspace_id).filter(status__in=PRESENT).count()


def used_bytes(workspace_id: UUID) -> int:
    """What the workspace's database held when it was last measured, kept copies included."""
    found = WorkspaceDatabase.objects.of_workspace(workspace_id).present().values_list("size_bytes", flat=True).first()
    return found or 0
