"""What visitors did."""

from __future__ import annotations

from typing import Any

from django.db import models

from apps.common.models import TenantModel
from apps.common.querysets import TenantManager
from apps.runtime.querysets import EventQuerySet


class RuntimeEvent(TenantModel):
    """One request of a visitor."""

    class Kind(models.TextChoices):
        VIEW = "view", "View"
        SCHEMA = "schema", "Schema"
        EXECUTE = "execute", "Execute"
        DENIED = "denied", "Denied"
        ERROR = "error", "Error"

    app_id = models.UUIDField()
    kind = models.CharField(max_length=8, choices=Kind)
    version = models.PositiveIntegerField(null=True)
    session_id = models.UUIDField(null=True)
    status = models.PositiveSmallIntegerField()
    milliseconds = models.FloatField()
    run_id = models.UUIDField(null=True)
    at = models.DateTimeField()

    objects: Any = TenantManager.of(EventQuerySet)

    class Meta(TenantModel.Meta):
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["app_id", "-at", "-id"], name="runtime_event_by_app")]

    def __str__(self) -> str:
        return f"{self.kind} {self.status}"
