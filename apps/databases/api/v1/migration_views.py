"""Migrations of a workspace's database."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.common.api.inputs import Input
from apps.common.api.outputs import Accepted, Listing
from apps.common.api.views import ApiViewSet
from apps.databases.selectors.migrations import applied_migrations
from apps.databases.services.migration_requests import request_migrations

_GREATEST_VERSION = 2**31 - 1


class MigrationInput(Input):
    """One script. It runs in a transaction of its own, as the owner of the schema `app`."""

    version = serializers.IntegerField(min_value=1, max_value=_GREATEST_VERSION)
    name = serializers.CharField(max_length=100)
    sql = serializers.CharField(trim_whitespace=False, help_text="One or more statements.")


class MigrateInput(Input):
    """The history of the database's tables, or its end: what was applied with the same text is skipped."""

    migrations = serializers.ListField(child=MigrationInput(), min_length=1, help_text="Versions ascending.")
    dry_run = serializers.BooleanField(
        required=False, default=False, help_text="Run them, in one transaction, and undo them."
    )
    backup = serializers.BooleanField(
        required=False,
        default=True,
        help_text="Back the database up first, if it has rows and anything is to be applied; never for a dry run.",
    )


class MigrationOutput(serializers.Serializer[Any]):
    """A migration that was applied."""

    version = serializers.IntegerField()
    name = serializers.CharField()
    checksum = serializers.CharField(help_text="SHA-256 of the text.")
    sql = serializers.CharField()
    applied_at = serializers.DateTimeField()
    milliseconds = serializers.IntegerField()
    operation = serializers.UUIDField(
        source="operation_id", allow_null=True, help_text="What applied it; null in a database that was restored."
    )


class MigrationViewSet(ApiViewSet):
    """Ordered, checksummed changes of the database's tables."""

    required = {"list": "databases.view", "create": "databases.migrate"}
    inputs = {"create": MigrateInput}
    outputs = {"create": Accepted(), "list": Listing(MigrationOutput, orders=("version",), search=("name",))}

    def list(self, request: Request, workspace: str) -> Response:
        """What the database has had, in order."""
        return self.page(applied_migrations(workspace_id=self.workspace.id))

    def create(self, request: Request, workspace: str) -> Response:
        """Apply migrations: each as a whole or not at all, up to the first that fails.

        The operation's result names the backup that was made first in `before`.
        """
        asked = request_migrations(workspace=self.workspace, **self.read(), actor=self.actor, now=self.now)
        assert asked.operation_id is not None, "requested with its operation"
        return self.accepted(asked.operation_id)


_HERE = "workspaces/<str:workspace>/database"

MIGRATION_PATHS = [
    path(f"{_HERE}/migrate", MigrationViewSet.as_view({"post": "create"})),
    path(f"{_HERE}/migrations", MigrationViewSet.as_view({"get": "list"})),
]
