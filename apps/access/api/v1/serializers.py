"""What is read and shown of keys and decisions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from rest_framework import serializers

from apps.access.states import ApiKeyStatus
from apps.common.api.inputs import Input

_LONGEST_OVERLAP = timedelta(days=30)


class KeyMemberOutput(serializers.Serializer[Any]):
    """Whom a key acts for."""

    id = serializers.UUIDField()
    kind = serializers.SerializerMethodField()
    name = serializers.SerializerMethodField()

    def get_kind(self, membership: Any) -> str:
        return "user" if membership.user_id else "service_account"

    def get_name(self, membership: Any) -> str:
        name: str = membership.user.get_full_name() if membership.user_id else membership.service_account_name
        return name


class ApiKeyOutput(serializers.Serializer[Any]):
    """A program's credential. The key itself is shown once, when it is made."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="How the key begins.")
    scopes = serializers.ListField(child=serializers.CharField(), help_text="Permission codes.")
    addresses = serializers.ListField(child=serializers.CharField(), help_text="CIDR blocks; empty: everywhere.")
    member = KeyMemberOutput(source="membership")
    status = serializers.ChoiceField(choices=ApiKeyStatus.choices)
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute.")
    created_at = serializers.DateTimeField()


class NewApiKeyOutput(ApiKeyOutput):
    """The same, with the key: ``Authorization: Api-Key <key>``."""

    key = serializers.CharField(help_text="Shown this once.")

    def to_representation(self, instance: Any) -> dict[str, Any]:
        shown = ApiKeyOutput(instance.row, context=self.context).data
        return {str(name): shown.get(name, instance.presented) for name in self.fields}


class CreateApiKey(Input):
    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(
        child=serializers.CharField(max_length=60),
        min_length=1,
        max_length=200,
        help_text="Permission codes that the caller holds; see /permissions.",
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    addresses = serializers.ListField(
        child=serializers.CharField(max_length=49),
        required=False,
        max_length=50,
        help_text="Addresses or CIDR blocks from which the key may be used; empty: everywhere.",
    )
    service_account = serializers.UUIDField(
        required=False,
        allow_null=True,
        source="service_account_id",
        help_text="The service account that the key acts for; otherwise it acts for the caller.",
    )


class RotateApiKey(Input):
    overlap_seconds = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=int(_LONGEST_OVERLAP.total_seconds()),
        help_text=f"How long the old key goes on working; {int(settings.API_KEY_ROTATION_OVERLAP.total_seconds())} "
        "unless given.",
    )


class DecisionCallerOutput(serializers.Serializer[Any]):
    kind = serializers.CharField()
    id = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    user = serializers.CharField(required=False, help_text="The person whom an API key acts for.")


class DecidedByOutput(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(
        choices=["role", "scope", "visit", "policy", "quota", "rate"], help_text="What decided."
    )
    role = serializers.CharField(required=False, help_text="The role that the caller had.")
    scopes = serializers.ListField(child=serializers.CharField(), required=False, help_text="The scopes of the key.")
    reason = serializers.CharField()


class DecisionOutput(serializers.Serializer[Any]):
    """Why something was refused. Kept for 30 days."""

    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    caller = DecisionCallerOutput()
    action = serializers.CharField(help_text="The method and the action that were asked for.")
    target = serializers.CharField(help_text="The path that was asked for.")
    code = serializers.CharField(help_text="The permission that was missing, or the code of the error.")
    status = serializers.IntegerField(help_text="402, 403 or 429.")
    decided_by = DecidedByOutput()
    request_id = serializers.CharField()
