"""Restores, and what they leave to be cleared away."""

from __future__ import annotations

from django.db import models

from apps.common.models import TimestampedModel
from apps.databases.querysets import RestoreQuerySet


class RestoreKind(models.TextChoices):
    IN_PLACE = "in_place", "In place of the live database"
    COPY = "copy", "Beside the live database"
    SWAP_BACK = "swap_back", "A kept database put back"


class Restore(TimestampedModel):
    """What is known of a restore beyond its operation: what it keeps fenced, what has to be cleared away after it.

    ``fenced_until`` stands while clients may be locked out of the live database: whoever finds it passed lets them in
    again. ``settle_after`` is set when the operation ends in any way; from then on its leftovers (the half-made
    database, its space) are cleared away, and ``settled_at`` says that they are.
    """

    database = models.ForeignKey("databases.WorkspaceDatabase", on_delete=models.CASCADE, related_name="restores")
    workspace_id = models.UUIDField()
    kind = models.CharField(max_length=9, choices=RestoreKind)
    backup = models.ForeignKey(
        "databases.Backup", null=True, blank=True, on_delete=models.SET_NULL, related_name="restores"
    )
    kept = models.ForeignKey(
        "databases.KeptDatabase",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="put_back_by",
        help_text="The one that is put back.",
    )
    operation_id = models.UUIDField(unique=True)
    fenced_until = models.DateTimeField(null=True, blank=True)
    swapped_at = models.DateTimeField(null=True, blank=True, help_text="When clients met the restored database.")
    settle_after = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    objects = RestoreQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(
                fields=["fenced_until"], condition=models.Q(fenced_until__isnull=False), name="restore_fenced"
            ),
            models.Index(
                fields=["settle_after"],
                condition=models.Q(settle_after__isnull=False, settled_at=None),
                name="restore_to_settle",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.created_at:%Y-%m-%d %H:%M}"
