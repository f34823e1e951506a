"""What the API of apps reads and shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers

from apps.applications.models import AccessPolicy, App
from apps.applications.services.records import app_url
from apps.common.api.inputs import Input

_MAX_NUMBER = 2**31 - 1


def _number(**options: Any) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=1, max_value=_MAX_NUMBER, **options)


# ---- what is read


class AppInput(Input):
    name = serializers.CharField(max_length=100)
    slug = serializers.CharField(max_length=63, required=False, help_text="Without it one is made of the name.")
    description = serializers.CharField(max_length=1000, required=False, allow_blank=True)
    definition = serializers.JSONField(required=False, help_text="The first draft; see GET /definition-schema.")


class AppChanges(Input):
    name = serializers.CharField(max_length=100, required=False)
    slug = serializers.CharField(max_length=63, required=False, help_text="Moves the app's address at once.")
    description = serializers.CharField(max_length=1000, required=False, allow_blank=True)


class CopyInput(Input):
    name = serializers.CharField(max_length=100, required=False)
    slug = serializers.CharField(max_length=63, required=False)


class DraftInput(Input):
    definition = serializers.JSONField(help_text="See GET /definition-schema.")
    revision = serializers.IntegerField(
        required=False, help_text="As read, so that what GET answered can be sent back. If-Match decides, not this."
    )


class VersionInput(Input):
    note = serializers.CharField(max_length=500, required=False, allow_blank=True)


class PublishInput(Input):
    version = _number(required=False, help_text="Without it, the draft becomes the next version.")
    note = serializers.CharField(max_length=500, required=False, allow_blank=True)
    dry_run = serializers.BooleanField(required=False, default=False, help_text="Tell what would happen; do nothing.")


class RollbackInput(Input):
    version = _number(required=False, help_text="A version that was live before.")
    release = _number(required=False, help_text="Instead of a version: the sequence of a release.")
    note = serializers.CharField(max_length=500, required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "version" in attrs and "release" in attrs:
            raise serializers.ValidationError({"release": ["Give a version or a release, not both."]})
        return attrs


class DeprecationInput(Input):
    sunset_at = serializers.DateTimeField(required=False, allow_null=True, help_text="When the app is to go.")


class NothingInput(Input):
    """No members."""


class AccessPolicyChanges(Input):
    audience = serializers.ChoiceField(choices=AccessPolicy.Audience.choices, required=False)
    roles = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, max_length=50, help_text="Of members; empty: all."
    )
    password = serializers.CharField(
        min_length=6,
        max_length=128,
        trim_whitespace=False,
        required=False,
        allow_null=True,
        help_text="null clears it.",
    )
    rotate_link = serializers.BooleanField(required=False, help_text="true makes a new link; the old one is out.")
    visitor_limit = serializers.IntegerField(required=False, help_text="Requests a minute of one visitor.")
    app_limit = serializers.IntegerField(required=False, help_text="Requests a minute of all visitors together.")
    session_seconds = serializers.IntegerField(required=False)
    frame_ancestors = serializers.ListField(
        child=serializers.CharField(max_length=260),
        required=False,
        help_text="Origins of sites that may frame it.",
    )
    addresses = serializers.ListField(
        child=serializers.CharField(max_length=49), required=False, help_text="CIDR blocks; empty: all."
    )


# ---- what is shown


class CurrentReleaseItem(serializers.Serializer[Any]):
    sequence = serializers.IntegerField()
    version = serializers.IntegerField(source="version.number")


def _time(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC, as DRF's own field writes it."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class AppItem(serializers.Serializer[Any]):
    """An app. Lists show many, so it is written out here: DRF's walk over the fields takes longer than the query. A
    test compares both.
    """

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    origin = serializers.ChoiceField(choices=App.Origin.choices)
    status = serializers.CharField()
    draft_revision = serializers.IntegerField()
    current_release = CurrentReleaseItem(allow_null=True)
    url = serializers.SerializerMethodField(help_text="Where visitors find it.")
    deprecated_at = serializers.DateTimeField(allow_null=True)
    sunset_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        release = instance.current_release
        shown: dict[str, Any] = {
            "id": str(instance.pk),
            "slug": instance.slug,
            "name": instance.name,
            "description": instance.description,
            "origin": instance.origin,
            "status": instance.status,
            "draft_revision": instance.draft_revision,
            "current_release": release and {"sequence": release.sequence, "version": release.version.number},
            "url": self.get_url(instance),
            "deprecated_at": _time(instance.deprecated_at),
            "sunset_at": _time(instance.sunset_at),
            "created_at": _time(instance.created_at),
            "updated_at": _time(instance.updated_at),
        }
        chosen = self.fields
        return shown if len(chosen) == len(shown) else {name: shown[name] for name in shown if name in chosen}

    def get_url(self, app: Any) -> str:
        return app_url(self.context["view"].workspace, app)


class DraftItem(serializers.Serializer[Any]):
    definition = serializers.JSONField(source="draft")
    revision = serializers.IntegerField(source="draft_revision")


class ActorItem(serializers.Serializer[Any]):
    kind = serializers.CharField()
    id = serializers.UUIDField(allow_null=True)
    name = serializers.CharField()


class VersionItem(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    digest = serializers.CharField(help_text="SHA-256 of the definition's canonical JSON (RFC 8785).")
    note = serializers.CharField()
    created_by = ActorItem()
    created_at = serializers.DateTimeField()
    database_revision = serializers.IntegerField(allow_null=True)


class FullVersionItem(VersionItem):
    definition = serializers.JSONField(help_text="With every workflow that it names, as it was then.")


class ReleaseItem(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    sequence = serializers.IntegerField()
    kind = serializers.CharField()
    version = serializers.IntegerField(source="version.number")
    actor = ActorItem()
    note = serializers.CharField()
    at = serializers.DateTimeField()


class ChangeItem(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=["added", "removed", "changed"])
    pointer = serializers.CharField(help_text="RFC 6901, into the newer definition; if removed, into the older one.")
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class DifferenceItem(serializers.Serializer[Any]):
    changes = ChangeItem(many=True)
    summary = serializers.ListField(child=serializers.CharField(), help_text="The same in sentences for people.")


class PublishPlanItem(serializers.Serializer[Any]):
    dry_run = serializers.SerializerMethodField()
    version = serializers.IntegerField(help_text="The number that would go live.")
    new_version = serializers.BooleanField(help_text="Whether the draft would become that version.")
    digest = serializers.CharField()
    live_version = serializers.IntegerField(allow_null=True)
    difference = DifferenceItem(help_text="From what is live to what would be.")
    audience = serializers.CharField()
    anonymous = serializers.BooleanField(help_text="Whether visitors get in without anybody knowing who they are.")
    needs_expose = serializers.BooleanField(help_text="Whether publishing needs the permission apps.expose.")
    newly_readable = serializers.ListField(child=serializers.CharField(), help_text="By anonymous visitors.")
    newly_executable = serializers.ListField(child=serializers.CharField(), help_text="By anonymous visitors.")
    domains = serializers.SerializerMethodField(help_text="Own domains that show the app.")

    def get_dry_run(self, plan: Any) -> bool:
        return True

    def get_domains(self, plan: Any) -> list[str]:
        return list(plan.touched.get("domains", []))


class AccessPolicyItem(serializers.Serializer[Any]):
    audience = serializers.ChoiceField(choices=AccessPolicy.Audience.choices)
    roles = serializers.ListField(child=serializers.CharField())
    password_set = serializers.SerializerMethodField()
    link_token = serializers.SerializerMethodField(help_text="null without a link, and for who may not expose apps.")
    visitor_limit = serializers.IntegerField()
    app_limit = serializers.IntegerField()
    session_seconds = serializers.IntegerField()
    frame_ancestors = serializers.ListField(child=serializers.CharField())
    addresses = serializers.ListField(child=serializers.CharField())
    revision = serializers.IntegerField()

    def get_password_set(self, policy: Any) -> bool:
        return bool(policy.password_hash)

    def get_link_token(self, policy: Any) -> str | None:
        may_see = self.context["view"].grant.allows("apps.expose")
        return policy.link_token or None if may_see else None


class PreviewItem(serializers.Serializer[Any]):
    url = serializers.CharField(help_text="Shows the draft to whoever has it, until it expires.")
    expires_at = serializers.DateTimeField()
    draft_revision = serializers.IntegerField()
