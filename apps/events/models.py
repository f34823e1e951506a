"""The outbox: what happened, written in the transaction in which it happened."""

from __future__ import annotations

from typing import Any

from django.db import models

from apps.common.models import UUIDModel
from apps.events.querysets import EventQuerySet


class Event(UUIDModel):
    """Something that happened, for webhooks, triggers and mails to take up after the commit."""

    type = models.CharField(max_length=80)
    at = models.DateTimeField()
    workspace_id = models.UUIDField(null=True)
    data = models.JSONField(default=dict)
    handed_to = models.JSONField(default=list, help_text="The consumers that have had it.")
    relay_after = models.DateTimeField()
    relay_failures = models.PositiveIntegerField(default=0)
    relayed_at = models.DateTimeField(null=True)

    objects: Any = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["relay_after", "id"], name="event_to_relay", condition=models.Q(relayed_at=None)),
            models.Index(fields=["workspace_id", "-at", "-id"], name="event_by_workspace"),
        ]

    def __str__(self) -> str:
        return self.type
