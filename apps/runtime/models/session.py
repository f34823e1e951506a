"""Visits."""

from __future__ import annotations

from typing import Any

from django.db import models

from apps.common.models import TenantModel
from apps.common.querysets import TenantManager
from apps.runtime.querysets import SessionQuerySet


class Session(TenantModel):
    """One visitor's stay at one app, known by an opaque signed cookie."""

    app_id = models.UUIDField()
    user_id = models.UUIDField(null=True, help_text="Null for an anonymous visitor.")
    address = models.CharField(max_length=45, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)
    started_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    objects: Any = TenantManager.of(SessionQuerySet)

    class Meta(TenantModel.Meta):
        ordering = ["-started_at", "-id"]
        indexes = [
            models.Index(fields=["app_id", "-started_at", "-id"], name="session_by_app"),
            models.Index(fields=["expires_at"], name="session_expiry"),
        ]

    def __str__(self) -> str:
        return str(self.id)
