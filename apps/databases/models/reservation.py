"""Space that work under way will need."""

from __future__ import annotations

from django.db import models

from apps.common.models import TimestampedModel


class SpaceReservation(TimestampedModel):
    """Bytes that an operation (a restore, a migration) has set aside, so that two can't take the same room."""

    database = models.ForeignKey("databases.WorkspaceDatabase", on_delete=models.CASCADE, related_name="reservations")
    operation_id = models.UUIDField(unique=True)
    size_bytes = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return f"{self.size_bytes} bytes"
