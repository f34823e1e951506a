"""What operators see of workspaces' use, gathered from their schemas: no overview reads those."""

from __future__ import annotations

from django.db import models

from apps.common.models import UUIDModel


class WorkspaceUsage(UUIDModel):
    """One quota of one workspace, as it was at ``rolled_up_at``."""

    workspace_id = models.UUIDField()
    dimension = models.ForeignKey("plans.Dimension", on_delete=models.CASCADE, related_name="+")
    soft_limit = models.BigIntegerField(null=True)
    hard_limit = models.BigIntegerField(null=True)
    overage_allowed = models.BooleanField(default=False)
    limit_source = models.CharField(max_length=10)
    used = models.BigIntegerField()
    reserved = models.BigIntegerField()
    overage = models.BigIntegerField()
    period_start = models.DateTimeField()
    period_end = models.DateTimeField(null=True)
    over_since = models.DateTimeField(null=True)
    rolled_up_at = models.DateTimeField()

    class Meta:
        ordering = ["workspace_id", "dimension_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace_id", "dimension"], name="one_roll_up_per_workspace_and_dimension"
            )
        ]
        indexes = [models.Index(fields=["dimension", "-used"], name="usage_largest_first")]

    def __str__(self) -> str:
        return f"{self.dimension_id} {self.used}"


class UsageDrift(UUIDModel):
    """A quota that didn't say what its ledger, its holders or reality said, and what was done about it."""

    class What(models.TextChoices):
        USED = "used", "Used, against the ledger"
        OVERAGE = "overage", "Overage, against the ledger"
        RESERVED = "reserved", "Reserved, against what is held"
        LEVEL = "level", "Level, against what exists"

    workspace_id = models.UUIDField()
    dimension = models.ForeignKey("plans.Dimension", on_delete=models.CASCADE, related_name="+")
    what = models.CharField(max_length=10, choices=What)
    counted = models.BigIntegerField(help_text="What the quota said.")
    found = models.BigIntegerField(help_text="What is true, and what the quota says since.")
    found_at = models.DateTimeField()

    class Meta:
        ordering = ["-found_at", "-id"]
        indexes = [models.Index(fields=["-found_at", "-id"], name="drift_newest_first")]

    def __str__(self) -> str:
        return f"{self.dimension_id} {self.counted} → {self.found}"

    @property
    def difference(self) -> int:
        """By how much the quota was wrong; positive when it said too much."""
        return self.counted - self.found
