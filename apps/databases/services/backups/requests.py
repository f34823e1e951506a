"""Asking for backups, for proofs of them, and for their deletion."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor
from apps.common.ids import new_id
from apps.common.metering import note_level
from apps.databases.errors import BackupInUse, BackupNeeded, BackupNotFound, BackupNotUsable
from apps.databases.models import Backup, WorkspaceDatabase
from apps.databases.models.backup import BackupKind
from apps.databases.selectors.databases import ready_database
from apps.databases.services.backups.expiry import is_needed
from apps.databases.services.backups.files import folder_of, require_usable
from apps.databases.services.servers import require_program
from apps.databases.services.space import BACKUPS, reserve_space
from apps.databases.states import USABLE, BackupStatus
from apps.operations.selectors.pending import has_pending
from apps.operations.services.requests import request_operation

if TYPE_CHECKING:
    from apps.operations.models import Operation

#: What a first backup is taken to need, as a part of the database: rows without indexes, packed.
_FIRST_BACKUP = 4


def request_backup(
    *, workspace: Any, actor: Actor, now: datetime, kind: str = BackupKind.MANUAL, prove: bool = False
) -> Operation:
    """Ask for a backup of the workspace's database; the operation makes it, and has it proved afterwards if told to.

    Raises DatabaseNotFound, DatabaseNotReady, ProgramMissing (no pg_dump that fits the server), QuotaExceeded: before
    anything is made.
    """
    with transaction.atomic():
        database = ready_database(workspace.pk)
        require_program("pg_dump", server=database.server)
        backup = Backup(id=new_id(), operation_id=new_id())
        operation = request_operation(
            kind="databases.backup",
            target_id=database.pk,
            workspace_id=database.workspace_id,
            params={"backup": str(backup.pk), "prove": prove},
            actor=actor,
            now=now,
        )
        reserve_space(
            database=database,
            operation_id=operation.pk,
            size_bytes=expected_size(database),
            now=now,
            dimension=BACKUPS,
        )
        write_down(backup, database, kind=kind, operation_id=operation.pk, now=now)
        _record(workspace, "backup.create", backup, actor=actor, now=now)
    return operation


def write_down(backup: Backup, database: WorkspaceDatabase, *, kind: str, operation_id: UUID, now: datetime) -> Backup:
    """The row of a backup that is going to be made."""
    backup.operation_id = operation_id
    backup.database = database
    backup.workspace_id = database.workspace_id
    backup.kind = kind
    backup.storage_key = f"{folder_of(database.pk)}/{backup.pk.hex}"
    backup.started_at = now
    backup.save(force_insert=True)
    return backup


def request_prove(*, workspace: Any, backup_id: UUID, actor: Actor, now: datetime) -> Operation:
    """Ask for the proof that a backup can be restored.

    Raises BackupNotFound, BackupNotUsable, DatabaseNotFound, DatabaseNotReady (its roles are needed).
    """
    with transaction.atomic():
        backup = find_backup(workspace_id=workspace.pk, backup_id=backup_id)
        require_usable(backup)
        ready_database(workspace.pk)
        _record(workspace, "backup.prove", backup, actor=actor, now=now)
        return prove_later(backup, actor=actor, now=now)


def prove_later(backup: Backup, *, actor: Actor, now: datetime) -> Operation:
    """The operation that proves a usable backup."""
    return request_operation(
        kind="databases.prove", target_id=backup.pk, workspace_id=backup.workspace_id, actor=actor, now=now
    )


def delete_backup(*, workspace: Any, backup_id: UUID, actor: Actor, now: datetime) -> Backup:
    """Expire a backup now; its files are deleted by the next sweep.

    Raises BackupNotFound, BackupNotUsable (it has no files any more), BackupNeeded (the last proved one of a database
    that exists), BackupInUse.
    """
    with transaction.atomic():
        backup = find_backup(workspace_id=workspace.pk, backup_id=backup_id, lock=True)
        if backup.status == BackupStatus.RUNNING:
            raise BackupInUse
        if has_pending(target_kind="backup", target_id=backup.pk):
            raise BackupInUse
        if is_needed(backup):
            raise BackupNeeded
        if backup.status in USABLE:
            backup.move_to(BackupStatus.EXPIRED, expires_at=now)
        elif backup.deleted_at is None:
            backup.expires_at = now
            backup.save(update_fields=["expires_at", "updated_at"])
        else:
            raise BackupNotUsable(f"This backup is {backup.status}; its files are gone.")
        note_level(workspace_id=backup.workspace_id, dimension=BACKUPS, now=now)
        _record(workspace, "backup.delete", backup, actor=actor, now=now)
    return backup


def find_backup(*, workspace_id: UUID, backup_id: UUID, lock: bool = False) -> Backup:
    """A backup of this workspace. Raises BackupNotFound."""
    rows = Backup.objects.of_workspace(workspace_id).select_related("database__server", "database__workspace")
    found = (rows.select_for_update(of=("self",)) if lock else rows).filter(pk=backup_id).first()
    if found is None:
        raise BackupNotFound
    backup: Backup = found
    return backup


def expected_size(database: WorkspaceDatabase) -> int:
    """Bytes that the next backup is likely to take: as many as the last one."""
    last = Backup.objects.filter(database=database).usable().order_by("-stored_at").first()
    return last.size_bytes if last is not None else database.size_bytes // _FIRST_BACKUP


def stored_bytes(workspace_id: UUID) -> int:
    """What the workspace's backups take in the storage; those that are about to be deleted don't count."""
    rows = Backup.objects.of_workspace(workspace_id).filter(deleted_at=None).exclude(status=BackupStatus.EXPIRED)
    return int(rows.aggregate(total=Sum("size_bytes"))["total"] or 0)


def _record(workspace: Any, action: str, backup: Backup, *, actor: Actor, now: datetime) -> None:
    record_act_in(
        workspace,
        actor=actor,
        action=action,
        target=Target(kind="backup", id=str(backup.pk), name=str(backup)),
        now=now,
    )
