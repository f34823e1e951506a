"""What was done, by whom, to what: once in the public schema, once in each workspace's."""

from __future__ import annotations

from django.db import models

from apps.common.models import TenantModel


class AuditEvent(TenantModel):
    """One act. Append-only: there is no way to change or delete one but retention."""

    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=20)
    actor_id = models.UUIDField(null=True)
    actor_name = models.CharField(max_length=254, blank=True)
    impersonator_id = models.UUIDField(null=True)
    impersonator_name = models.CharField(max_length=254, blank=True)
    action = models.CharField(max_length=80)
    target_kind = models.CharField(max_length=40)
    target_id = models.CharField(max_length=80, blank=True)
    target_name = models.CharField(max_length=254, blank=True)
    changes = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=45, blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["-at", "-id"], name="audit_newest_first"),
            models.Index(fields=["action", "-at"], name="audit_by_action"),
            models.Index(fields=["target_kind", "target_id", "-at"], name="audit_by_target"),
            models.Index(fields=["actor_id", "-at"], name="audit_by_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_kind} {self.target_name}"
