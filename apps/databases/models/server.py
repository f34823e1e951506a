"""The PostgreSQL servers on which workspaces' databases live."""

from __future__ import annotations

from django.db import models

from apps.common.models import TimestampedModel
from apps.common.states import StatefulModel
from apps.databases.querysets import DatabaseServerQuerySet
from apps.databases.states import SERVER_TRANSITIONS, ServerStatus


class DatabaseServer(StatefulModel, TimestampedModel):
    """A PostgreSQL cluster. New databases are placed on active ones; draining ones keep those that they have."""

    transitions = SERVER_TRANSITIONS

    name = models.CharField(max_length=60, unique=True)
    host = models.CharField(max_length=255, help_text="Where workspaces' clients reach it.")
    port = models.PositiveIntegerField(default=5432)
    admin_dsn = models.TextField(help_text="Sealed: a superuser's connection string, as the platform reaches it.")
    weight = models.PositiveSmallIntegerField(default=100, help_text="Twice the weight takes twice the databases.")
    capacity_bytes = models.PositiveBigIntegerField(null=True, blank=True, help_text="Empty: no limit.")
    capacity_databases = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: no limit.")
    status = models.CharField(max_length=8, choices=ServerStatus, default=ServerStatus.ACTIVE)
    version = models.PositiveIntegerField(default=0, help_text="server_version_num, such as 150018.")
    used_bytes = models.PositiveBigIntegerField(default=0, help_text="Of all databases on it, at the last look.")
    checked_at = models.DateTimeField(null=True, blank=True, help_text="When it answered last.")
    error = models.CharField(max_length=300, blank=True, help_text="Why it didn't answer at the last look.")

    objects = DatabaseServerQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=models.Q(weight__gte=1), name="database_server_has_weight"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def major(self) -> int:
        """The major version of its PostgreSQL, 0 as long as nobody has looked."""
        return self.version // 10_000
