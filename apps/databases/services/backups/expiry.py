"""Which backups go, and when: by count, by age, by size; never the last one that was proved."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction

from apps.common.errors import Unavailable
from apps.common.metering import note_level
from apps.databases.clients.backup_store import delete_folder
from apps.databases.models import Backup, BackupSchedule, WorkspaceDatabase
from apps.databases.services.backups.files import folder_of
from apps.databases.services.backups.taking import save_manifest
from apps.databases.services.space import BACKUPS
from apps.databases.states import USABLE, BackupStatus, DatabaseStatus
from apps.operations.selectors.pending import pending_operations
from apps.secrets.services import key_of

log = structlog.get_logger(__name__)


def is_needed(backup: Backup) -> bool:
    """Whether it is the last proved one of a database that exists."""
    if backup.status != BackupStatus.PROVED or backup.database.status == DatabaseStatus.DELETED:
        return False
    last = last_proved(backup.database_id)
    return last is not None and last.pk == backup.pk


def last_proved(database_id: UUID) -> Backup | None:
    """The youngest backup that was proved restorable."""
    proved = Backup.objects.filter(database_id=database_id, status=BackupStatus.PROVED)
    return proved.order_by("-stored_at", "-id").first()


def expire_superfluous(*, database_id: UUID, now: datetime) -> int:
    """Expire what any limit of the database's schedule exceeds, oldest first; returns how many.

    The last proved one stays whatever the limits say, and so does the youngest.
    """
    with transaction.atomic():
        database = WorkspaceDatabase.objects.select_for_update(no_key=True).get(pk=database_id)
        schedule = BackupSchedule.objects.filter(database=database).first()
        usable = list(
            Backup.objects.filter(database=database).usable().select_for_update().order_by("-stored_at", "-id")
        )
        proved = last_proved(database_id)
        kept = {backup.pk for backup in (proved, *usable[:1]) if backup is not None}
        going = [backup for backup in _beyond(usable, schedule, now=now) if backup.pk not in kept]
        for backup in going:
            backup.move_to(BackupStatus.EXPIRED, expires_at=now)
        if going:
            note_level(workspace_id=database.workspace_id, dimension=BACKUPS, now=now)
    return len(going)


def _beyond(usable: list[Backup], schedule: BackupSchedule | None, *, now: datetime) -> list[Backup]:
    """Those of ``usable`` (youngest first) that a limit exceeds."""
    count = schedule.keep_count if schedule else settings.BACKUP_KEEP_COUNT
    days = schedule.keep_days if schedule else settings.BACKUP_KEEP_DAYS
    size = schedule.keep_bytes if schedule else None
    going, total = [], 0
    for index, backup in enumerate(usable):
        total += backup.size_bytes
        assert backup.stored_at is not None, "usable, so stored"
        too_many = count is not None and index >= count
        too_old = days is not None and backup.stored_at < now - timedelta(days=days)
        too_large = size is not None and total > size
        if too_many or too_old or too_large:
            going.append(backup)
    return going


def sweep_backups(*, now: datetime) -> int:
    """What time does to backups; returns how many folders were deleted. Safe to repeat, and to be run by two.

    Those that nobody makes any more have failed; what the schedules' limits exceed, and what deleted databases have
    left behind, expires; files of failed, unusable and expired ones go; manifests get the keys of a rotation.
    """
    _fail_abandoned(now=now)
    for database_id in Backup.objects.usable().order_by().values_list("database_id", flat=True).distinct():
        expire_superfluous(database_id=database_id, now=now)
    _expire_of_deleted(now=now)
    _renew_manifests(now=now)
    return delete_files(now=now)


def delete_files(*, now: datetime) -> int:
    """Delete the files of what can't be used any more. Marked after the fact, so that a death repeats it."""
    deleted = 0
    for backup in Backup.objects.with_dead_files(
        now, keep_expired=settings.BACKUP_EXPIRED_KEPT, keep_unusable=settings.BACKUP_UNUSABLE_KEPT
    ):
        try:
            delete_folder(backup.storage_key)
        except Unavailable as error:
            log.warning("backup_not_deleted", backup=str(backup.pk), error=str(error))
            continue
        with transaction.atomic():
            Backup.objects.filter(pk=backup.pk).update(deleted_at=now)
            note_level(workspace_id=backup.workspace_id, dimension=BACKUPS, now=now)
        deleted += 1
    return deleted


def purge_backups(*, workspace_id: UUID) -> None:
    """Delete all files of a workspace that is being purged, those that no row names too, then the rows. Safe to repeat.

    Raises StorageUnavailable."""
    for database_id in WorkspaceDatabase.objects.of_workspace(workspace_id).values_list("pk", flat=True):
        delete_folder(folder_of(database_id))
    Backup.objects.of_workspace(workspace_id).delete()


def _fail_abandoned(*, now: datetime) -> None:
    old = Backup.objects.filter(
        status=BackupStatus.RUNNING, started_at__lte=now - settings.BACKUP_ABANDONED_AFTER
    ).values_list("pk", "operation_id")
    making = pending_operations({operation for _, operation in old})
    for pk, operation in old:
        if operation not in making:
            with transaction.atomic():
                row = Backup.objects.select_for_update().get(pk=pk)
                if row.status == BackupStatus.RUNNING:
                    row.move_to(BackupStatus.FAILED, error="Nobody makes this backup any more.")


def _expire_of_deleted(*, now: datetime) -> None:
    """Backups of a deleted database are kept for a while, the last proved one too."""
    since = now - settings.BACKUP_KEPT_AFTER_DELETION
    rows = Backup.objects.usable().filter(database__status=DatabaseStatus.DELETED, database__updated_at__lte=since)
    for pk in rows.values_list("pk", flat=True):
        with transaction.atomic():
            row = Backup.objects.select_for_update().get(pk=pk)
            if row.status in USABLE:
                row.move_to(BackupStatus.EXPIRED, expires_at=now)
                note_level(workspace_id=row.workspace_id, dimension=BACKUPS, now=now)


def _renew_manifests(*, now: datetime) -> None:
    """After a rotation of the key-encryption key the manifests, too, bear keys that the present one opens."""
    for backup in Backup.objects.usable().select_related("database"):
        key_id = key_of(backup.sealed_key)
        if (backup.manifest or {}).get("key_id") == key_id:
            continue
        try:
            save_manifest(backup, now=now)
        except Unavailable as error:
            log.warning("manifest_not_renewed", backup=str(backup.pk), error=str(error))
            continue
        Backup.objects.filter(pk=backup.pk).update(manifest={**(backup.manifest or {}), "key_id": key_id})
