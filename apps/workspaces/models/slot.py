"""The pool of schemas that stand ready."""

from __future__ import annotations

from django.db import models

from apps.common.models import TimestampedModel
from apps.common.states import StatefulModel
from apps.workspaces.querysets import SchemaSlotQuerySet
from apps.workspaces.states import SLOT_TRANSITIONS, SlotStatus


class SchemaSlot(StatefulModel, TimestampedModel):
    """A schema that is made before anyone needs it."""

    transitions = SLOT_TRANSITIONS

    schema_name = models.CharField(max_length=63, unique=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=8, choices=SlotStatus, default=SlotStatus.MAKING)
    error = models.TextField(blank=True)

    objects = SchemaSlotQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "id"]
        indexes = [
            models.Index(
                fields=["created_at"], condition=models.Q(status=SlotStatus.READY), name="slot_ready_oldest_first"
            )
        ]

    def __str__(self) -> str:
        return self.schema_name
