"""The steps of `databases.backup`, and the same as one step of somebody else's operation."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from apps.common.actors import SYSTEM
from apps.common.errors import IllegalTransition
from apps.common.ids import new_id
from apps.databases.models import Backup, WorkspaceDatabase
from apps.databases.models.backup import BackupKind
from apps.databases.services.backups import taking
from apps.databases.services.backups.expiry import expire_superfluous
from apps.databases.services.backups.requests import prove_later, write_down
from apps.databases.services.space import release_space
from apps.databases.states import USABLE, BackupStatus
from apps.operations.services.kinds import StepContext


def check_step(context: StepContext) -> dict[str, Any]:
    taking.check(_backup(context))
    return {}


def dump_step(context: StepContext) -> dict[str, Any]:
    backup = _backup(context)
    taking.dump(backup, attempt=context.attempt, watch=context.require_lease)
    return {"backup": str(backup.pk)}


def verify_step(context: StepContext) -> dict[str, Any]:
    """What is stored is what was sent; else it is sent once more, for a repeat of this step alone would not help."""
    backup = _backup(context)
    try:
        taking.verify(backup, watch=context.require_lease)
    except taking.DumpFailed:
        taking.dump(backup, attempt=context.attempt, watch=context.require_lease)
        backup.refresh_from_db()
        taking.verify(backup, watch=context.require_lease)
    return {}


def manifest_step(context: StepContext) -> dict[str, Any]:
    context.require_lease()
    backup = _backup(context)
    if backup.status == BackupStatus.RUNNING:
        taking.publish(backup, now=context.clock())
    return {}


def record_step(context: StepContext) -> dict[str, Any]:
    """Call it stored; what that makes superfluous expires, and its proof is asked for where that was wanted."""
    now = context.clock()
    with transaction.atomic():
        backup = _backup(context)
        fresh = backup.status == BackupStatus.RUNNING
        taking.record(backup, now=now)
        release_space(workspace_id=backup.workspace_id, operation_id=context.operation_id, now=now)
        backup.refresh_from_db()
        if fresh and context.params.get("prove"):
            prove_later(backup, actor=SYSTEM, now=now)
    expire_superfluous(database_id=backup.database_id, now=now)
    return {
        "backup": str(backup.pk),
        "size_bytes": backup.size_bytes,
        "sha256": backup.sha256,
        "tables": backup.tables,
        "rows": backup.rows,
        "revision": backup.revision,
    }


def give_up(context: StepContext) -> None:
    """The operation failed or was canceled: there is no backup."""
    backup = _backup(context)
    taking.give_up(backup, _reason(context))
    release_space(workspace_id=backup.workspace_id, operation_id=context.operation_id, now=context.clock())


def refuse_retry(context: StepContext) -> None:
    """What has failed stays so: its moment is over. Raises IllegalTransition."""
    raise IllegalTransition("A backup that failed isn't taken up again. Ask for a new one.")


def back_up_now(context: StepContext, database: WorkspaceDatabase, *, kind: str = BackupKind.BEFORE_RESTORE) -> UUID:
    """A stored backup of the database, made within a step of the operation of ``context``; its id.

    Safe to repeat: what an attempt before this one has stored is taken, what was given up is made anew. The plan's
    limit of backups is not asked here: nobody is kept from restoring by having many. Raises what the parts raise.
    """
    backup = Backup.objects.filter(
        operation_id=context.operation_id, database=database, status__in={BackupStatus.RUNNING, *USABLE}
    ).first()
    if backup is None:
        backup = write_down(
            Backup(id=new_id()), database, kind=kind, operation_id=context.operation_id, now=context.clock()
        )
    if backup.status in USABLE:
        return backup.pk
    backup = Backup.objects.select_related("database__server", "database__workspace").get(pk=backup.pk)
    taking.check(backup)
    taking.dump(backup, attempt=context.attempt, watch=context.require_lease)
    backup.refresh_from_db(fields=["manifest", "sealed_key", "size_bytes", "sha256", "tables", "rows", "revision"])
    taking.verify(backup, watch=context.require_lease)
    context.require_lease()
    taking.publish(backup, now=context.clock())
    taking.record(backup, now=context.clock())
    return backup.pk


def give_up_unfinished(context: StepContext) -> None:
    """Hook of an operation that failed or was canceled: what ``back_up_now`` hasn't finished for it is no backup."""
    for backup in Backup.objects.filter(operation_id=context.operation_id, status=BackupStatus.RUNNING):
        taking.give_up(backup, "What it was made for has ended before; the operation says why.")


def _backup(context: StepContext) -> Backup:
    backup: Backup = Backup.objects.select_related("database__server", "database__workspace").get(
        pk=context.params["backup"]
    )
    return backup


def _reason(context: StepContext) -> str:
    done = len(context.results)
    return f"The backup was given up after {done} of its steps; its operation says why."
