"""Asking for a restore: what can be refused is refused before anything is made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor
from apps.databases.errors import (
    DatabaseNotFound,
    DatabaseNotReady,
    RestoreClearedAway,
    RestoreUnderWay,
)
from apps.databases.models import Backup, KeptDatabase, Restore, WorkspaceDatabase
from apps.databases.models.restore import RestoreKind
from apps.databases.services.restores.kept import lock_kept_database
from apps.databases.services.restores.sources import (
    find_backup,
    give_up_unfinished,
    require_fitting_versions,
    require_usable,
    restored_size,
)
from apps.databases.services.space import reserve_space
from apps.databases.states import DatabaseStatus
from apps.operations.services.kinds import StepContext
from apps.operations.services.requests import request_operation

KINDS = {
    RestoreKind.IN_PLACE: "databases.restore",
    RestoreKind.COPY: "databases.restore_copy",
    RestoreKind.SWAP_BACK: "databases.swap_back",
}


def request_restore(*, workspace: Any, backup_id: UUID, into_new: bool = False, actor: Actor, now: datetime) -> UUID:
    """Restore a backup over the live database, or (``into_new``) beside it; returns the operation's id.

    Raises DatabaseNotFound, DatabaseNotReady, BackupNotFound (also for another workspace's), BackupNotUsable,
    VersionsDontFit, QuotaExceeded, RestoreUnderWay.
    """
    with transaction.atomic():
        database = _lock_ready(workspace)
        backup = find_backup(workspace_id=workspace.pk, backup_id=backup_id)
        require_usable(backup)
        require_fitting_versions(backup, database.server)
        kind = RestoreKind.COPY if into_new else RestoreKind.IN_PLACE
        params = {"backup": str(backup.pk)}
        return _begin(
            workspace, database, kind, params, size_bytes=restored_size(backup), backup=backup, actor=actor, now=now
        )


def request_swap_back(*, workspace: Any, kept_id: UUID, actor: Actor, now: datetime) -> UUID:
    """Put a kept database in the live one's place, which is kept in turn; returns the operation's id.

    Raises DatabaseNotFound, DatabaseNotReady, KeptDatabaseNotFound, KeptDatabaseInUse, RestoreUnderWay.
    """
    with transaction.atomic():
        database = _lock_ready(workspace)
        kept = lock_kept_database(workspace_id=workspace.pk, kept_id=kept_id, now=now)
        if kept.database_id != database.pk:
            raise DatabaseNotReady("The database that this one was kept of is deleted.")
        # It must not run out while its operation waits.
        kept.keep_until = max(kept.keep_until, now + timedelta(days=1))
        kept.save(update_fields=["keep_until", "updated_at"])
        params = {"kept": str(kept.pk)}
        return _begin(workspace, database, RestoreKind.SWAP_BACK, params, size_bytes=0, kept=kept, actor=actor, now=now)


def end_restore(context: StepContext) -> None:
    """Hook of a canceled operation: what it left goes at once."""
    give_up_unfinished(context)
    _end(context.operation_id, settle_after=context.clock())


def fail_restore(context: StepContext) -> None:
    """Hook of a failed operation: clients are let in at once; what it made stays a while, for a Retry.

    When the swap has happened already, nothing is to be kept: it is brought to its end at once.
    """
    now = context.clock()
    give_up_unfinished(context)
    Restore.objects.filter(operation_id=context.operation_id).exclude(fenced_until=None).update(fenced_until=now)
    swapped = Restore.objects.filter(operation_id=context.operation_id).exclude(swapped_at=None).exists()
    _end(context.operation_id, settle_after=now if swapped else now + settings.DATABASE_RESTORE_LEFTOVERS)


def revive_restore(context: StepContext) -> None:
    """Hook of a Retry. Raises RestoreClearedAway when nothing is left to go on with, RestoreUnderWay."""
    restore = Restore.objects.select_for_update().get(operation_id=context.operation_id)
    WorkspaceDatabase.objects.select_for_update().get(pk=restore.database_id)
    if restore.settle_after is not None and restore.settle_after <= context.clock():
        raise RestoreClearedAway
    _require_no_other(restore.database, but=restore)
    if restore.backup is not None:
        reserve_space(
            database=restore.database,
            operation_id=restore.operation_id,
            size_bytes=restored_size(restore.backup),
            now=context.clock(),
        )
    Restore.objects.filter(pk=restore.pk).update(settle_after=None)


def _lock_ready(workspace: Any) -> WorkspaceDatabase:
    database = (
        WorkspaceDatabase.objects.present()
        .of_workspace(workspace.pk)
        .select_for_update(of=("self",))
        .select_related("server")
        .first()
    )
    if database is None:
        raise DatabaseNotFound
    if database.status != DatabaseStatus.READY:
        raise DatabaseNotReady(f"The database is {database.status}; it has to be ready to be restored.")
    return database


def _begin(
    workspace: Any,
    database: WorkspaceDatabase,
    kind: RestoreKind,
    params: Mapping[str, str],
    *,
    size_bytes: int,
    backup: Backup | None = None,
    kept: KeptDatabase | None = None,
    actor: Actor,
    now: datetime,
) -> UUID:
    _require_no_other(database)
    operation = request_operation(
        kind=KINDS[kind], target_id=database.pk, workspace_id=workspace.pk, params=params, actor=actor, now=now
    )
    if size_bytes:
        reserve_space(database=database, operation_id=operation.pk, size_bytes=size_bytes, now=now)
    Restore.objects.create(
        database=database,
        workspace_id=workspace.pk,
        kind=kind,
        backup=backup,
        kept=kept,
        operation_id=operation.pk,
    )
    record_act_in(
        workspace,
        actor=actor,
        action="database.restore" if kind != RestoreKind.COPY else "database.restore_copy",
        target=Target(kind="database", id=str(database.pk), name=database.name),
        now=now,
        changes={name: [None, value] for name, value in params.items()},
    )
    return operation.pk


def _require_no_other(database: WorkspaceDatabase, but: Restore | None = None) -> None:
    others = Restore.objects.unfinished().filter(database=database)
    if (others.exclude(pk=but.pk) if but else others).exists():
        raise RestoreUnderWay


def _end(operation_id: UUID, *, settle_after: datetime) -> None:
    Restore.objects.filter(operation_id=operation_id).update(settle_after=settle_after)
