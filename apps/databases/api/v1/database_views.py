"""A workspace's database over HTTP: making, reading, deleting it, and its login."""

from __future__ import annotations

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from apps.common.api.outputs import Accepted
from apps.common.api.views import ApiViewSet
from apps.common.revisions import revision_of
from apps.databases.api.v1.database_serializers import (
    ChangeDatabase,
    CreateDatabase,
    CredentialsOutput,
    DatabaseOutput,
)
from apps.databases.models import WorkspaceDatabase
from apps.databases.selectors.databases import present_database
from apps.databases.selectors.overview import overview_of
from apps.databases.services.deletion import delete_database, undelete_database
from apps.databases.services.provisioning import create_database
from apps.databases.services.rotation import change_rotation, read_credentials, rotate_secret


class DatabaseViewSet(ApiViewSet):
    """The workspace's own PostgreSQL database."""

    required = {
        "create": "databases.manage",
        "retrieve": "databases.view",
        "partial_update": "databases.manage",
        "destroy": "databases.manage",
        "undelete": "databases.manage",
        "rotate": "databases.manage",
        "credentials": "databases.credentials",
    }
    inputs = {
        "create": CreateDatabase,
        "partial_update": ChangeDatabase,
        "undelete": CreateDatabase,
        "rotate": CreateDatabase,
    }
    outputs = {
        "create": Accepted(),
        "retrieve": DatabaseOutput,
        "partial_update": DatabaseOutput,
        "destroy": Accepted(),
        "undelete": Accepted(),
        "rotate": Accepted(),
        "credentials": CredentialsOutput,
    }
    conditional = {"partial_update": "optional", "destroy": "optional"}

    def create(self, request: Request, workspace: str) -> Response:
        """Make the workspace's database: 402 when the plan has no room for one. One that failed is tried again."""
        self.read()
        return self.accepted(create_database(workspace=self.workspace, actor=self.actor, now=self.now).pk)

    def retrieve(self, request: Request, workspace: str) -> Response:
        """The database: where it is, how large, when it was backed up, who still uses the login before."""
        return self._show(present_database(self.workspace.pk))

    def partial_update(self, request: Request, workspace: str) -> Response:
        """Rotate the login by itself every so many days."""
        given = self.read()
        if "rotation_days" not in given:
            return self._show(present_database(self.workspace.pk))
        database = change_rotation(
            workspace=self.workspace, actor=self.actor, now=self.now, expected=self.expected, **given
        )
        return self._show(database)

    def destroy(self, request: Request, workspace: str) -> Response:
        """Close the database at once, and delete it behind a grace of seven days. Its backups are kept as long as
        they would be."""
        operation = delete_database(workspace=self.workspace, actor=self.actor, now=self.now, expected=self.expected)
        return self.accepted(operation.pk)

    def undelete(self, request: Request, workspace: str) -> Response:
        """Keep a database whose grace isn't over; its logins get in again."""
        self.read()
        return self.accepted(undelete_database(workspace=self.workspace, actor=self.actor, now=self.now).pk)

    def rotate(self, request: Request, workspace: str) -> Response:
        """Publish another login with a new password. The one before lets clients in until nobody uses it any more, at
        most for fifteen minutes; until then the next rotation is refused (409, with `sessions`)."""
        self.read()
        return self.accepted(rotate_secret(workspace=self.workspace, actor=self.actor, now=self.now).pk)

    def credentials(self, request: Request, workspace: str) -> Response:
        """The published login with its password. Whoever reads it stands in the audit trail."""
        return self.answer(read_credentials(workspace=self.workspace, actor=self.actor, now=self.now))

    def _show(self, database: WorkspaceDatabase) -> Response:
        return self.answer(overview_of(database), revision=revision_of(database, column="updated_at"))


_DATABASE = "workspaces/<str:workspace>/database"
DATABASE_PATHS = [
    path(
        _DATABASE,
        DatabaseViewSet.as_view({"post": "create", "get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
    ),
    path(f"{_DATABASE}/undelete", DatabaseViewSet.as_view({"post": "undelete"})),
    path(f"{_DATABASE}/rotate-secret", DatabaseViewSet.as_view({"post": "rotate"})),
    path(f"{_DATABASE}/credentials", DatabaseViewSet.as_view({"get": "credentials"})),
]
