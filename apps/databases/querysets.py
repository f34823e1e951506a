"""The filters on servers, databases and backups."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models

from apps.databases.states import PRESENT, USABLE, BackupStatus, DatabaseStatus, ServerStatus

if TYPE_CHECKING:
    from apps.databases.models import (  # noqa: F401
        Backup,
        BackupSchedule,
        DatabaseServer,
        KeptDatabase,
        Restore,
        WorkspaceDatabase,
    )


class DatabaseServerQuerySet(models.QuerySet["DatabaseServer"]):
    """Servers by what they do."""

    def taking_databases(self) -> Self:
        """Those on which new databases may be placed."""
        return self.filter(status=ServerStatus.ACTIVE)

    def reachable(self) -> Self:
        """Those that are in use: every server but the ones that are offline."""
        return self.exclude(status=ServerStatus.OFFLINE)


class WorkspaceDatabaseQuerySet(models.QuerySet["WorkspaceDatabase"]):
    """Databases by their workspace and state."""

    def present(self) -> Self:
        """Those that aren't deleted."""
        return self.filter(status__in=PRESENT)

    def ready(self) -> Self:
        return self.filter(status=DatabaseStatus.READY)

    def of_workspace(self, workspace_id: UUID) -> Self:
        return self.filter(workspace_id=workspace_id)

    def to_delete(self, now: datetime) -> Self:
        """Those whose grace is over."""
        return self.filter(status=DatabaseStatus.DELETING, delete_after__lte=now)

    def to_rotate(self, now: datetime) -> Self:
        """Those whose login is due for a new password."""
        return self.ready().filter(next_rotation_at__lte=now, drain_until=None)

    def draining(self) -> Self:
        """Those whose login before the published one still lets clients in."""
        return self.filter(drain_until__isnull=False, status=DatabaseStatus.READY)


class BackupQuerySet(models.QuerySet["Backup"]):
    """Backups by their workspace and state."""

    def of_workspace(self, workspace_id: UUID) -> Self:
        return self.filter(workspace_id=workspace_id)

    def usable(self) -> Self:
        """Those that one can restore from."""
        return self.filter(status__in=USABLE)

    def with_dead_files(self, now: datetime, *, keep_expired: timedelta, keep_unusable: timedelta) -> Self:
        """Those whose files nobody needs any more. Expired ones are kept until whoever was reading has ended,
        unusable ones longer, to be looked into."""
        ended = models.Q(status=BackupStatus.EXPIRED, expires_at__lte=now - keep_expired)
        looked_into = models.Q(updated_at__lte=now - keep_unusable) | models.Q(expires_at__lte=now)
        return self.filter(deleted_at=None).filter(
            models.Q(status=BackupStatus.FAILED) | ended | models.Q(looked_into, status=BackupStatus.UNUSABLE)
        )

    def without_files_before(self, moment: datetime) -> Self:
        """Those whose files were deleted before ``moment``, and that no restore and no copy names."""
        return self.filter(deleted_at__lt=moment, restores=None, copies=None)


class BackupScheduleQuerySet(models.QuerySet["BackupSchedule"]):
    """Schedules by when they are due."""

    def due(self, now: datetime) -> Self:
        return self.filter(enabled=True, next_run_at__lte=now, database__status=DatabaseStatus.READY)


class KeptDatabaseQuerySet(models.QuerySet["KeptDatabase"]):
    """Databases beside the live one, by when they may go."""

    def expired(self, now: datetime) -> Self:
        return self.filter(dropped_at=None, keep_until__lte=now)

    def present(self) -> Self:
        return self.filter(dropped_at=None)

    def lasting(self, now: datetime) -> Self:
        """Those that are there and stay for a while."""
        return self.filter(dropped_at=None, keep_until__gt=now)

    def of_workspace(self, workspace_id: UUID) -> Self:
        return self.filter(database__workspace_id=workspace_id)

    def dropped_before(self, moment: datetime) -> Self:
        """Those that are gone since before ``moment``, and that no restore names."""
        return self.filter(dropped_at__lt=moment, put_back_by=None)


class RestoreQuerySet(models.QuerySet["Restore"]):
    """Restores by what they have left to do."""

    def overdue_fences(self, now: datetime) -> Self:
        """Those that have kept clients out for longer than any swap takes."""
        return self.filter(fenced_until__lte=now)

    def unfinished(self) -> Self:
        """Those whose operation waits or runs."""
        return self.filter(settle_after=None, settled_at=None)

    def to_settle(self, now: datetime) -> Self:
        """Those that have ended and left something to be cleared away."""
        return self.filter(settle_after__lte=now, settled_at=None)

    def settled_before(self, moment: datetime) -> Self:
        """Those that left nothing to be done, since before ``moment``."""
        return self.filter(settled_at__lt=moment)
