"""What the API of workflows reads and shows."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.common.api.inputs import Input


class WorkflowInput(Input):
    name = serializers.CharField(max_length=100)
    slug = serializers.CharField(max_length=63, required=False)
    definition = serializers.JSONField(help_text="Steps and outputs; see GET /definition-schema.")


class ValidationInput(Input):
    definition = serializers.JSONField(required=False, help_text="Without it, the workflow's own is checked.")


class RunInput(Input):
    inputs = serializers.DictField(required=False, default=dict, help_text="By the names of the workflow's input.")


class WorkflowItem(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    definition = serializers.JSONField()
    revision = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class FieldErrorItem(serializers.Serializer[Any]):
    pointer = serializers.CharField(help_text="RFC 6901, into the body.")
    code = serializers.CharField()
    detail = serializers.CharField()


class ValidationItem(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    errors = FieldErrorItem(many=True)  # type: ignore[assignment]  # a field of ours, not DRF's property


class RunErrorItem(serializers.Serializer[Any]):
    code = serializers.CharField()
    detail = serializers.CharField()
    step = serializers.CharField(allow_null=True, help_text="The step that ended the run.")


class RunItem(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    workflow = serializers.UUIDField(source="workflow_id", allow_null=True)
    app = serializers.UUIDField(source="app_id", allow_null=True)
    action = serializers.CharField()
    trigger = serializers.CharField()
    status = serializers.CharField()
    inputs = serializers.JSONField()
    outputs = serializers.JSONField(allow_null=True)
    error = RunErrorItem(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class StepRunItem(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    step = serializers.CharField()
    position = serializers.IntegerField()
    attempt = serializers.IntegerField()
    status = serializers.CharField()
    input = serializers.JSONField(allow_null=True)
    output = serializers.JSONField(allow_null=True)
    error = RunErrorItem(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
