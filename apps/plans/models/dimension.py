"""What is counted."""

from __future__ import annotations

from django.db import models


class Dimension(models.Model):
    """Something that is metered and may be limited."""

    class Kind(models.TextChoices):
        COUNTER = "counter", "Counter (sums, resets each period)"
        GAUGE = "gauge", "Gauge (a level)"
        COUNT = "count", "Count (things that exist)"

    class Reset(models.TextChoices):
        MONTHLY = "monthly", "Monthly"
        DAILY = "daily", "Daily"
        NEVER = "never", "Never"

    class OnFailure(models.TextChoices):
        OPEN = "open", "Open (serve, and log)"
        CLOSED = "closed", "Closed (refuse, and log)"

    code = models.CharField(max_length=60, primary_key=True)
    name = models.CharField(max_length=100)
    unit = models.CharField(max_length=30)
    kind = models.CharField(max_length=10, choices=Kind)
    reset = models.CharField(max_length=10, choices=Reset)
    on_failure = models.CharField(max_length=10, choices=OnFailure)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name
