"""Attempts, counted in the database while the cache is down."""

from __future__ import annotations

from django.db import models


class AttemptWindow(models.Model):
    """How often something was tried since ``started_at``. Usually the cache counts, and this table is empty."""

    key = models.CharField(max_length=64, primary_key=True, help_text="SHA-256 of what is limited, and for whom.")
    started_at = models.DateTimeField()
    count = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.key[:12]} {self.count}"
