"""What the API shows of visits."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class EventItem(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.CharField(help_text="view, schema, execute, denied or error.")
    version = serializers.IntegerField(allow_null=True, help_text="The version that was served.")
    session = serializers.UUIDField(source="session_id", allow_null=True)
    status = serializers.IntegerField(help_text="The HTTP status of the answer.")
    milliseconds = serializers.FloatField()
    run = serializers.UUIDField(source="run_id", allow_null=True)
    at = serializers.DateTimeField()


class SessionItem(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    user = serializers.UUIDField(source="user_id", allow_null=True, help_text="Null for an anonymous visitor.")
    address = serializers.CharField()
    user_agent = serializers.CharField()
    started_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField(help_text="To the minute.")
    expires_at = serializers.DateTimeField()
