"""Apps."""

from __future__ import annotations

from typing import Any

from django.db import models

from apps.applications.querysets import AppQuerySet
from apps.applications.states import APP_TRANSITIONS, AppStatus
from apps.common.models import TimestampedTenantModel
from apps.common.querysets import TenantManager
from apps.common.states import StatefulModel


class App(StatefulModel, TimestampedTenantModel):
    """A page, its inputs and the workflow behind it: one draft, any number of versions, at most one current release."""

    class Origin(models.TextChoices):
        BLANK = "blank", "Blank"
        WORKFLOW = "workflow", "Workflow"
        AI = "ai", "AI"
        TEMPLATE = "template", "Template"

    transitions = APP_TRANSITIONS

    slug = models.CharField(max_length=63)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=1000, blank=True)
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.BLANK)
    status = models.CharField(max_length=12, choices=AppStatus, default=AppStatus.DRAFT)
    draft = models.JSONField()
    draft_revision = models.PositiveIntegerField(default=1)
    current_release = models.ForeignKey(
        "applications.Release", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    sunset_at = models.DateTimeField(null=True, blank=True, help_text="When a deprecated app is to go (RFC 8594).")
    deprecated_at = models.DateTimeField(null=True, blank=True)

    objects: Any = TenantManager.of(AppQuerySet)

    class Meta(TimestampedTenantModel.Meta):
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="slug_belongs_to_one_app"),
            models.CheckConstraint(
                condition=~models.Q(status__in=[AppStatus.PUBLISHED, AppStatus.DEPRECATED])
                | models.Q(current_release__isnull=False),
                name="published_app_has_a_release",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="app_newest_first"),
            models.Index(fields=["-updated_at", "-id"], name="app_changed_last_first"),
            models.Index(fields=["name", "id"], name="app_by_name"),
        ]

    def __str__(self) -> str:
        return self.name
