"""What the endpoints of operations answer."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.operations.states import OperationStatus


class TargetOutput(serializers.Serializer[Any]):
    """What the operation works on."""

    kind = serializers.CharField(source="target_kind")
    id = serializers.CharField(source="target_id")


class StepOutput(serializers.Serializer[Any]):
    """A step, and when it was done."""

    name = serializers.CharField()
    done_at = serializers.DateTimeField(allow_null=True)


class OperationError(serializers.Serializer[Any]):
    """Why the last attempt failed: a code for programs, a sentence for people."""

    code = serializers.CharField()
    detail = serializers.CharField()
    step = serializers.CharField(required=False)


class OperationOutput(serializers.Serializer[Any]):
    """Slow work and how far it is."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    status = serializers.ChoiceField(choices=OperationStatus.choices)
    progress = serializers.IntegerField(min_value=0, max_value=100, help_text="Percent.")
    message = serializers.CharField(help_text="What happens now, as a sentence.")
    target = TargetOutput(source="*")
    workspace = serializers.UUIDField(source="workspace_id", allow_null=True)
    attempt = serializers.IntegerField()
    steps = StepOutput(many=True)
    error = OperationError(allow_null=True)
    result = serializers.DictField(allow_null=True)
    cancel_requested = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
