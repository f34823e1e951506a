"""Workflows."""

from __future__ import annotations

from django.db import models

from apps.common.models import TimestampedTenantModel


class Workflow(TimestampedTenantModel):
    """Steps under a name, which apps refer to. Every change counts the revision up."""

    slug = models.CharField(max_length=63, unique=True)
    name = models.CharField(max_length=100)
    definition = models.JSONField()
    revision = models.PositiveIntegerField(default=1)

    class Meta(TimestampedTenantModel.Meta):
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.name
