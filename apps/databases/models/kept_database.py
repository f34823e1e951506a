"""Databases beside the live one: what a restore replaced, and restored copies."""

from __future__ import annotations

from django.db import models

from apps.common.models import TimestampedModel
from apps.databases.querysets import KeptDatabaseQuerySet


class KeptOrigin(models.TextChoices):
    REPLACED = "replaced", "Replaced by a restore"
    COPY = "copy", "Restored beside the live one"


class KeptDatabase(TimestampedModel):
    """A database that its workspace can read for a while, and that is dropped then."""

    database = models.ForeignKey("databases.WorkspaceDatabase", on_delete=models.CASCADE, related_name="kept")
    name = models.CharField(max_length=63, unique=True)
    origin = models.CharField(max_length=8, choices=KeptOrigin)
    backup = models.ForeignKey(
        "databases.Backup", null=True, blank=True, on_delete=models.SET_NULL, related_name="copies"
    )
    operation_id = models.UUIDField(unique=True)
    size_bytes = models.PositiveBigIntegerField(default=0)
    revision = models.PositiveIntegerField(default=0, help_text="Of its migrations.")
    missing_migrations = models.JSONField(
        default=list, blank=True, help_text="Those that it has had, and that what replaced it has not."
    )
    keep_until = models.DateTimeField()
    dropped_at = models.DateTimeField(null=True, blank=True)

    objects = KeptDatabaseQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["keep_until"], condition=models.Q(dropped_at=None), name="kept_until")]

    def __str__(self) -> str:
        return self.name
