"""What is read and shown of restores and kept databases."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.common.api.inputs import Input
from apps.databases.models.kept_database import KeptOrigin


class RestoreInput(Input):
    """Which backup, and whether over the live database or beside it."""

    backup = serializers.UUIDField(source="backup_id", help_text="The backup's id.")
    into_new = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Restore beside the live database, which isn't touched.",
    )


class KeptDatabaseOutput(serializers.Serializer[Any]):
    """A database beside the live one. The workspace's login reads it under its name, on the same host and port."""

    id = serializers.UUIDField()
    name = serializers.CharField(help_text="The database's name in a connection string.")
    origin = serializers.ChoiceField(choices=KeptOrigin.choices, help_text="`replaced` by a restore, or a `copy`.")
    backup = serializers.UUIDField(source="backup_id", allow_null=True, help_text="What a copy was restored from.")
    size_bytes = serializers.IntegerField()
    revision = serializers.IntegerField(help_text="Of its migrations.")
    keep_until = serializers.DateTimeField(help_text="It is dropped then.")
    created_at = serializers.DateTimeField()
