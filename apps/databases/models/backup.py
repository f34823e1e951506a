"""Backups of workspaces' databases."""

from __future__ import annotations

from django.db import models

from apps.common.ids import new_id
from apps.common.models import TimestampedModel
from apps.common.states import StatefulModel
from apps.databases.querysets import BackupQuerySet, BackupScheduleQuerySet
from apps.databases.states import BACKUP_TRANSITIONS, BackupStatus


class BackupKind(models.TextChoices):
    MANUAL = "manual", "By hand"
    SCHEDULED = "scheduled", "Scheduled"
    BEFORE_RESTORE = "before_restore", "Before a restore"
    BEFORE_MIGRATE = "before_migrate", "Before a migration"


class Backup(StatefulModel, TimestampedModel):
    """A dump in the storage, with a manifest that was written last: without it there is no backup."""

    transitions = BACKUP_TRANSITIONS

    database = models.ForeignKey("databases.WorkspaceDatabase", on_delete=models.PROTECT, related_name="backups")
    workspace_id = models.UUIDField()
    kind = models.CharField(max_length=16, choices=BackupKind, default=BackupKind.MANUAL)
    status = models.CharField(max_length=10, choices=BackupStatus, default=BackupStatus.RUNNING)
    operation_id = models.UUIDField(default=new_id, db_index=True, help_text="Of the operation that makes it.")
    storage_key = models.CharField(max_length=255, unique=True, help_text="The folder of its files in the storage.")
    sealed_key = models.TextField(blank=True, help_text="The data key of the sealed dump, wrapped.")
    size_bytes = models.PositiveBigIntegerField(default=0, help_text="As stored.")
    sha256 = models.CharField(max_length=64, blank=True, help_text="Of the file as stored.")
    tables = models.PositiveIntegerField(default=0)
    rows = models.PositiveBigIntegerField(default=0)
    revision = models.PositiveIntegerField(default=0, help_text="Of the database's migrations.")
    manifest = models.JSONField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    started_at = models.DateTimeField()
    stored_at = models.DateTimeField(null=True, blank=True)
    proved_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True, help_text="When its files were deleted.")

    objects = BackupQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at", "-id"]
        indexes = [
            models.Index(fields=["workspace_id", "-started_at", "-id"], name="backup_by_workspace"),
            models.Index(fields=["database", "status", "-stored_at"], name="backup_by_database"),
            models.Index(fields=["status"], condition=models.Q(deleted_at=None), name="backup_with_files"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.started_at:%Y-%m-%d %H:%M}"


class BackupSchedule(TimestampedModel):
    """When a database is backed up, and how much is kept: what any of the three limits exceeds goes, oldest first."""

    database = models.OneToOneField(
        "databases.WorkspaceDatabase", on_delete=models.CASCADE, related_name="backup_schedule"
    )
    cron = models.CharField(max_length=100, help_text="Five fields: minute, hour, day of month, month, day of week.")
    time_zone = models.CharField(max_length=64, default="UTC")
    enabled = models.BooleanField(default=True)
    keep_count = models.PositiveSmallIntegerField(null=True, blank=True)
    keep_days = models.PositiveSmallIntegerField(null=True, blank=True)
    keep_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    prove_every_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="How old the last proof may get; 0 proves every scheduled one, empty none."
    )
    next_run_at = models.DateTimeField(null=True, blank=True)
    last_run_at = models.DateTimeField(null=True, blank=True)

    objects = BackupScheduleQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["next_run_at"], name="backup_schedule_due")]

    def __str__(self) -> str:
        return f"{self.cron} ({self.time_zone})"
