"""Restoring, and the databases that are kept beside the live one."""

from __future__ import annotations

from uuid import UUID

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from apps.common.api.outputs import Accepted, Listing
from apps.common.api.views import ApiViewSet
from apps.databases.api.v1.restore_serializers import KeptDatabaseOutput, RestoreInput
from apps.databases.selectors.kept_databases import kept_databases
from apps.databases.services.restores.kept import delete_kept_database
from apps.databases.services.restores.requests import request_restore, request_swap_back


class RestoreViewSet(ApiViewSet):
    """Back to what a backup holds."""

    required = {"create": "backups.restore"}
    inputs = {"create": RestoreInput}
    outputs = {"create": Accepted()}

    def create(self, request: Request, workspace: str) -> Response:
        """Restore a backup in the live database's place, or beside it.

        The live database serves until the restored one takes its place; it is kept, and can be put back.
        """
        return self.accepted(request_restore(workspace=self.workspace, **self.read(), actor=self.actor, now=self.now))


class KeptDatabaseViewSet(ApiViewSet):
    """What restores replaced, and copies restored beside the live database."""

    required = {"list": "backups.view", "destroy": "backups.restore", "restore": "backups.restore"}
    outputs = {
        "list": Listing(KeptDatabaseOutput, orders=("-created_at", "keep_until")),
        "destroy": None,
        "restore": Accepted(),
    }

    def list(self, request: Request, workspace: str) -> Response:
        return self.page(kept_databases(workspace_id=self.workspace.id, now=self.now))

    def destroy(self, request: Request, workspace: str, kept: UUID) -> Response:
        """Drop it now, and have its space back."""
        delete_kept_database(workspace=self.workspace, kept_id=kept, actor=self.actor, now=self.now)
        return self.nothing()

    def restore(self, request: Request, workspace: str, kept: UUID) -> Response:
        """Put it in the live database's place, which is kept in turn."""
        return self.accepted(request_swap_back(workspace=self.workspace, kept_id=kept, actor=self.actor, now=self.now))


_HERE = "workspaces/<str:workspace>/database"

RESTORE_PATHS = [
    path(f"{_HERE}/restore", RestoreViewSet.as_view({"post": "create"})),
    path(f"{_HERE}/kept", KeptDatabaseViewSet.as_view({"get": "list"})),
    path(f"{_HERE}/kept/<uuid:kept>", KeptDatabaseViewSet.as_view({"delete": "destroy"})),
    path(f"{_HERE}/kept/<uuid:kept>/restore", KeptDatabaseViewSet.as_view({"post": "restore"})),
]
