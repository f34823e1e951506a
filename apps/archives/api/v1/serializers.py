"""What the endpoints of archives read and answer."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.archives.api.v1.parsers import ReceivedFile
from apps.archives.services.exports import what_is_left_out
from apps.archives.states import ExportStatus
from apps.common.api.inputs import Input


@extend_schema_field(OpenApiTypes.BINARY)
class ArchiveField(serializers.Field[Any, Any, Any, Any]):
    """The uploaded file, sealed already."""

    default_error_messages = {"invalid": "Send the archive as a file."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, ReceivedFile):
            self.fail("invalid")
        return data.archive


class ImportWorkspace(Input):
    """An archive, and what the new workspace is to be called; by default what it was called."""

    archive = ArchiveField()
    slug = serializers.CharField(required=False, max_length=63)
    name = serializers.CharField(required=False, max_length=100)


class LeftOutOutput(serializers.Serializer[Any]):
    """A column that isn't in the archive."""

    table = serializers.CharField()
    column = serializers.CharField()
    why = serializers.CharField()


class ExportOutput(serializers.Serializer[Any]):
    """A workspace's archive."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=ExportStatus.choices)
    size_bytes = serializers.IntegerField(help_text="Of the file that is downloaded.")
    sha256 = serializers.CharField(help_text="Of the file that is downloaded.")
    tables = serializers.IntegerField()
    rows = serializers.IntegerField()
    left_out = serializers.SerializerMethodField()
    error = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="When the file is deleted.")

    @extend_schema_field(LeftOutOutput(many=True))
    def get_left_out(self, export: Any) -> list[dict[str, str]]:
        return what_is_left_out(export)
