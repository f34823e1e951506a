"""What the endpoints of events answer."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class EventOutput(serializers.Serializer[Any]):
    """Something that happened in a workspace."""

    id = serializers.UUIDField()
    type = serializers.CharField()
    at = serializers.DateTimeField()
    workspace = serializers.UUIDField(source="workspace_id")
    data = serializers.DictField()  # type: ignore[assignment] # the contract's name; DRF keeps fields apart
