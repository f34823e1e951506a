"""What waits in workspaces for its time."""

from __future__ import annotations

from django.db import models

from apps.common.models import UUIDModel
from apps.workspaces.querysets import DueWorkQuerySet


class DueWork(UUIDModel):
    """Something in a workspace's schema that is due at a moment, in a public row: so a sweep reads one table instead of
    every schema.

    ``claimed_until`` is set while a worker is at it, and tells one claim from the next; a worker that dies leaves it
    behind, and when it has passed the work is due again.
    """

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="due_work")
    kind = models.CharField(max_length=60)
    target = models.CharField(max_length=80, blank=True, help_text="What of the workspace's, as the kind names it.")
    due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    error = models.CharField(max_length=300, blank=True, help_text="Of the last failure.")

    objects = DueWorkQuerySet.as_manager()

    class Meta:
        ordering = ["due_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "kind", "target"], name="target_is_due_once_of_a_kind"),
        ]
        indexes = [models.Index(fields=["due_at"], name="due_work_next")]

    def __str__(self) -> str:
        return f"{self.kind} {self.target}".strip()
