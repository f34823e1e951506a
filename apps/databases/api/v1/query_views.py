"""Running SQL in a workspace's database."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.common.api.inputs import Input
from apps.common.api.views import ApiViewSet
from apps.databases.services.queries import run_query


class QueryInput(Input):
    """One statement, with the values of the names in it."""

    sql = serializers.CharField(
        max_length=settings.DATABASE_QUERY_LENGTH, trim_whitespace=False, help_text="`select … where id = :id`"
    )
    params = serializers.DictField(
        child=serializers.JSONField(allow_null=True), required=False, default=dict, help_text='`{"id": 1}`'
    )
    write = serializers.BooleanField(
        required=False, default=False, help_text="Whether it may change rows: needs `databases.write`."
    )


class QueryColumn(serializers.Serializer[Any]):
    """A column, and PostgreSQL's name of its type."""

    name = serializers.CharField()
    type = serializers.CharField()


class QueryOutput(serializers.Serializer[Any]):
    """What the statement answered."""

    columns = QueryColumn(many=True)
    rows = serializers.ListField(
        child=serializers.ListField(child=serializers.JSONField(allow_null=True)),
        help_text="Values in the order of the columns: decimals as texts, times in RFC 3339, bytes in base64.",
    )
    truncated = serializers.BooleanField(help_text="Whether there were more rows than an answer holds.")
    count = serializers.IntegerField(allow_null=True, help_text="Rows returned or changed; null when truncated.")

    def to_representation(self, instance: Any) -> dict[str, Any]:
        # The rows are JSON already; walking through them cell by cell would be most of the work.
        return {
            "columns": [{"name": column.name, "type": column.type} for column in instance.columns],
            "rows": instance.rows,
            "truncated": instance.truncated,
            "count": instance.count,
        }


class QueryViewSet(ApiViewSet):
    """One statement in the workspace's own database."""

    required = {"create": "databases.query"}
    inputs = {"create": QueryInput}
    outputs = {"create": QueryOutput}
    #: The workspace's database commits by itself, before the answer is kept.
    own_transactions: ClassVar[frozenset[str]] = frozenset({"create"})
    #: Its rows aren't the platform's to keep in the clear.
    secret_answers: ClassVar[frozenset[str]] = frozenset({"create"})

    def create(self, request: Request, workspace: str) -> Response:
        """Run a statement; what it may read is bounded in rows, bytes and time."""
        asked = self.read()
        if asked["write"]:
            self.require("databases.write")
        return self.answer(run_query(workspace=self.workspace, **asked, actor=self.actor, now=self.now))


QUERY_PATHS = [path("workspaces/<str:workspace>/database/query", QueryViewSet.as_view({"post": "create"}))]
