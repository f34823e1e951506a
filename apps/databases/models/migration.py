"""Which migrations a workspace's database has had."""

from __future__ import annotations

from django.db import models

from apps.common.models import TimestampedModel


class SchemaMigration(TimestampedModel):
    """A migration that was applied, with the text that was run. Later ones of the same version must be the same."""

    database = models.ForeignKey("databases.WorkspaceDatabase", on_delete=models.CASCADE, related_name="migrations")
    version = models.PositiveIntegerField()
    name = models.CharField(max_length=100)
    sql = models.TextField()
    checksum = models.CharField(max_length=64, help_text="SHA-256 of the text.")
    applied_at = models.DateTimeField()
    milliseconds = models.PositiveIntegerField(default=0)
    applied_by = models.JSONField(default=dict, blank=True, help_text="The actor, as it was then.")
    operation_id = models.UUIDField(null=True, blank=True, help_text="What applied it; empty after a restore.")

    class Meta:
        ordering = ["version"]
        constraints = [
            models.UniqueConstraint(fields=["database", "version"], name="one_migration_per_database_and_version"),
        ]

    def __str__(self) -> str:
        return f"{self.version} {self.name}"


class MigrationRequest(TimestampedModel):
    """Migrations that somebody asked for, kept for the operation that applies them: its params hold ids only."""

    database = models.ForeignKey(
        "databases.WorkspaceDatabase", on_delete=models.CASCADE, related_name="migration_requests"
    )
    operation_id = models.UUIDField(unique=True, null=True)
    scripts = models.JSONField(help_text="In order: version, name, sql, checksum.")
    dry_run = models.BooleanField(default=False)
    backup = models.BooleanField(default=True, help_text="Whether what would be lost is backed up first.")

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["created_at"], name="migration_request_by_age")]

    def __str__(self) -> str:
        return ", ".join(str(script["version"]) for script in self.scripts)
