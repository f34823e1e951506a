"""What the endpoints of workspaces read and answer."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.common.api.inputs import Input
from apps.workspaces.selectors.listing import codes_for
from apps.workspaces.services.config import CONFIG_SCHEMA
from apps.workspaces.states import WorkspaceStatus


@extend_schema_field(CONFIG_SCHEMA)
class ConfigField(serializers.JSONField):
    """A workspace's config; the service checks it against its schema."""


class WorkspaceOutput(serializers.Serializer[Any]):
    """A workspace as one of its members sees it: with their role and what it lets them do. Shows a membership."""

    id = serializers.UUIDField(source="workspace.id")
    slug = serializers.CharField(source="workspace.slug")
    name = serializers.CharField(source="workspace.name")
    display_name = serializers.CharField(source="workspace.display_name")
    status = serializers.ChoiceField(source="workspace.status", choices=WorkspaceStatus.choices)
    plan = serializers.CharField(source="workspace.plan_code")
    default_app = serializers.UUIDField(
        source="workspace.default_app_id", allow_null=True, help_text="The app that the short form acts on."
    )
    time_zone = serializers.CharField(source="workspace.time_zone")
    locale = serializers.CharField(source="workspace.locale")
    config = ConfigField(source="workspace.config")
    owner = serializers.UUIDField(source="workspace.owner_id")
    suspended_reason = serializers.CharField(source="workspace.suspended_reason")
    purge_after = serializers.DateTimeField(
        source="workspace.purge_after", allow_null=True, help_text="Until then a closed workspace can be restored."
    )
    role = serializers.CharField(source="role.code")
    permissions = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(source="workspace.created_at")
    updated_at = serializers.DateTimeField(source="workspace.updated_at")

    def get_permissions(self, membership: Any) -> list[str]:
        return sorted(codes_for(membership, scopes=self.context["view"].actor.scopes))


class WorkspaceCreate(Input):
    """A new workspace. Without a slug, one is derived from the name."""

    name = serializers.CharField(max_length=100)
    slug = serializers.CharField(required=False, max_length=63)
    display_name = serializers.CharField(required=False, max_length=150, allow_blank=True)
    time_zone = serializers.CharField(required=False, max_length=64)
    locale = serializers.CharField(required=False, max_length=16)
    config = ConfigField(required=False)


class WorkspaceUpdate(Input):
    """Changed settings. ``default_app`` is the id or slug of an app."""

    name = serializers.CharField(required=False, max_length=100)
    slug = serializers.CharField(required=False, max_length=63)
    display_name = serializers.CharField(required=False, max_length=150, allow_blank=True)
    time_zone = serializers.CharField(required=False, max_length=64)
    locale = serializers.CharField(required=False, max_length=16)
    config = ConfigField(required=False)
    default_app = serializers.CharField(required=False, max_length=63)


class TransferInput(Input):
    """The member who becomes the owner, and the workspace's slug, typed to confirm."""

    member = serializers.CharField(max_length=63)
    confirm = serializers.CharField(max_length=63)


class RegistrationInput(Input):
    """A new account."""

    email = serializers.CharField(max_length=254)
    password = serializers.CharField(max_length=1024, trim_whitespace=False)
    name = serializers.CharField(required=False, max_length=150, allow_blank=True)
    locale = serializers.CharField(required=False, max_length=16)
    time_zone = serializers.CharField(required=False, max_length=64)


class RegisteredUser(serializers.Serializer[Any]):
    """The new person."""

    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField()
    locale = serializers.CharField()
    time_zone = serializers.CharField()
    email_verified = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class RegistrationOutput(serializers.Serializer[Any]):
    """The new person, and the workspace that everybody gets."""

    user = RegisteredUser()
    workspace = WorkspaceOutput()
