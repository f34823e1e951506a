"""What goes in and out about a workspace's database."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers

from apps.common.api.inputs import Input
from apps.databases.states import DatabaseStatus


class CreateDatabase(Input):
    """Nothing is asked for: the platform chooses server and name."""


class ChangeDatabase(Input):
    """How often the login is rotated by itself."""

    rotation_days = serializers.IntegerField(
        min_value=1,
        max_value=settings.DATABASE_ROTATION_DAYS_MAX,
        allow_null=True,
        help_text="null: by hand only. Counts from now, then from each rotation.",
    )


class DatabaseSessionOutput(serializers.Serializer[Any]):
    application = serializers.CharField(help_text="What the client calls itself (`application_name`).")
    address = serializers.CharField()
    since = serializers.DateTimeField()


class DrainOutput(serializers.Serializer[Any]):
    login = serializers.CharField(help_text="The login before the published one.")
    until = serializers.DateTimeField(help_text="Then its sessions are ended.")
    sessions = DatabaseSessionOutput(many=True, help_text="Who used it at the last look.")


class RotationOutput(serializers.Serializer[Any]):
    login = serializers.CharField(help_text="The published login.")
    rotated_at = serializers.DateTimeField(allow_null=True)
    rotation_days = serializers.IntegerField(allow_null=True)
    next_rotation_at = serializers.DateTimeField(allow_null=True)
    draining = DrainOutput(allow_null=True)


class LastBackupOutput(serializers.Serializer[Any]):
    last_stored_at = serializers.DateTimeField(allow_null=True)
    last_proved_at = serializers.DateTimeField(allow_null=True)


class DatabaseOutput(serializers.Serializer[Any]):
    """The workspace's database."""

    id = serializers.UUIDField(source="database.id")
    status = serializers.ChoiceField(choices=DatabaseStatus.choices, source="database.status")
    server = serializers.CharField(source="database.server.name")
    host = serializers.CharField(source="database.server.host")
    port = serializers.IntegerField(source="database.server.port")
    name = serializers.CharField(source="database.name")
    revision = serializers.IntegerField(source="database.revision", help_text="The version of the last migration.")
    size_bytes = serializers.IntegerField(source="database.size_bytes", help_text="Kept databases included.")
    limit_bytes = serializers.IntegerField(source="database.limit_bytes", allow_null=True)
    writes_revoked_at = serializers.DateTimeField(
        source="database.writes_revoked_at", allow_null=True, help_text="Since when it has been over its limit."
    )
    backup = LastBackupOutput(source="*")
    rotation = serializers.SerializerMethodField()
    delete_after = serializers.DateTimeField(
        source="database.delete_after", allow_null=True, help_text="Until then a deletion can be undone."
    )
    created_at = serializers.DateTimeField(source="database.created_at")

    def get_rotation(self, overview: Any) -> RotationOutput:
        database = overview.database
        draining = None
        if database.drain_until is not None:
            draining = {
                "login": database.login(database.other_login),
                "until": database.drain_until,
                "sessions": database.drain_sessions,
            }
        return RotationOutput(  # type: ignore[return-value] # its annotation is what the OpenAPI document shows
            {
                "login": database.login(database.active_login),
                "rotated_at": database.rotated_at,
                "rotation_days": database.rotation_days,
                "next_rotation_at": database.next_rotation_at,
                "draining": draining,
            }
        ).data


class CredentialsOutput(serializers.Serializer[Any]):
    """How the workspace's own programs reach its database."""

    dsn = serializers.CharField(help_text="`postgresql://login:password@host:port/name`")
    login = serializers.CharField()
    rotated_at = serializers.DateTimeField()
