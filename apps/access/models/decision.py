"""Why something was refused."""

from __future__ import annotations

from django.db import models

from apps.access.querysets import DecisionQuerySet
from apps.common.models import UUIDModel


class Decision(UUIDModel):
    """What a refusal (403, 402, 429) came from; its id is in the answer."""

    at = models.DateTimeField()
    workspace_id = models.UUIDField(null=True)
    caller = models.JSONField(default=dict)
    action = models.CharField(max_length=200)
    target = models.CharField(max_length=300, blank=True)
    code = models.CharField(max_length=60, blank=True, help_text="The permission code that was asked for.")
    status = models.PositiveSmallIntegerField()
    decided_by = models.JSONField(default=dict, help_text="The role, scope, policy or quota that decided.")
    request_id = models.CharField(max_length=64, blank=True)

    objects = DecisionQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["workspace_id", "-at"], name="decision_by_workspace"),
            models.Index(fields=["at"], name="decision_at"),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.action}"
