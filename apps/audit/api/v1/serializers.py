"""How acts look to clients."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class ImpersonatorOutput(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()


class AuditActorOutput(serializers.Serializer[Any]):
    kind = serializers.CharField(source="actor_kind")
    id = serializers.UUIDField(source="actor_id", allow_null=True)
    name = serializers.CharField(source="actor_name")
    impersonator = ImpersonatorOutput(required=False, help_text="The operator who acted as this person.")

    def to_representation(self, instance: Any) -> dict[str, Any]:
        shown = {"kind": instance.actor_kind, "id": instance.actor_id and str(instance.actor_id)}
        shown["name"] = instance.actor_name
        if instance.impersonator_id is not None:
            shown["impersonator"] = {"id": str(instance.impersonator_id), "name": instance.impersonator_name}
        return shown


class AuditTargetOutput(serializers.Serializer[Any]):
    kind = serializers.CharField(source="target_kind")
    id = serializers.CharField(source="target_id")
    name = serializers.CharField(source="target_name")


class AuditEventOutput(serializers.Serializer[Any]):
    """One act: who did what to what, when and from where. Secrets in ``changes`` are masked."""

    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    actor = AuditActorOutput(source="*")
    action = serializers.CharField()
    target = AuditTargetOutput(source="*")
    changes = serializers.DictField(help_text="Each changed field with what it was before and after.")
    request_id = serializers.CharField()
    address = serializers.CharField()
