"""The steps of the three kinds of restore. Each is safe to repeat at whatever line its worker died.

What they have done is read from where it was done: the server's catalog for databases, the rows for records.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

from apps.databases.clients.restore_target import limit_connections
from apps.databases.errors import BackupNotFound, DatabaseNotFound, DatabaseNotReady, KeptDatabaseNotFound
from apps.databases.models import KeptDatabase, Restore
from apps.databases.services.establishing import admit_logins, establish_database
from apps.databases.services.restores import loading
from apps.databases.services.restores.kept import open_for_reading, open_for_writing
from apps.databases.services.restores.names import kept_name
from apps.databases.services.restores.records import record_copy, record_swap
from apps.databases.services.restores.settling import settle_restore
from apps.databases.services.restores.sources import (
    back_up_now,
    compare_with_manifest,
    find_backup,
    require_fitting_versions,
    require_manifest,
    require_usable,
    restored_size,
)
from apps.databases.services.restores.swapping import swap_in
from apps.databases.services.servers import open_server
from apps.databases.services.space import reserve_space
from apps.databases.services.storage import bound_growth, measure_database
from apps.databases.states import DatabaseStatus
from apps.operations.services.kinds import Step, StepContext


def check_step(context: StepContext) -> dict[str, Any]:
    """Refuse what can't end well: nothing has been made yet."""
    restore = _restore(context)
    if restore.backup_id is None:
        raise BackupNotFound
    backup = find_backup(workspace_id=restore.workspace_id, backup_id=restore.backup_id)
    require_usable(backup)
    require_fitting_versions(backup, restore.database.server)
    require_manifest(backup)
    size = restored_size(backup)
    reserve_space(database=restore.database, operation_id=restore.operation_id, size_bytes=size, now=context.clock())
    return {"size_bytes": size}


def check_kept_step(context: StepContext) -> dict[str, Any]:
    """The kept database is still there."""
    restore = _restore(context)
    if restore.kept is None or restore.kept.dropped_at is not None:
        raise KeptDatabaseNotFound
    return {"name": restore.kept.name}


def fetch_step(context: StepContext) -> dict[str, Any]:
    return loading.fetch(context, _restore(context))


def create_step(context: StepContext) -> dict[str, Any]:
    return loading.create(context, _restore(context))


def load_step(context: StepContext) -> dict[str, Any]:
    return loading.load(context, _restore(context))


def verify_step(context: StepContext) -> dict[str, Any]:
    """Every table has the rows that the manifest says, by their number and by their hash."""
    restore = _restore(context)
    assert restore.backup is not None
    return compare_with_manifest(context, restore.backup, restore.database.server, context.results["load"]["name"])


def grant_step(context: StepContext) -> dict[str, Any]:
    """The roles get in the restored database what they have in the live one."""
    restore = _restore(context)
    name = context.results["load"]["name"]
    establish_database(restore.database, name=name)
    admit_logins(restore.database, name=name)
    with open_server(restore.database.server) as server:
        # Not before it is live; then it has the limit of a live one.
        limit_connections(server, name, 0)
    return {}


def grant_kept_step(context: StepContext) -> dict[str, Any]:
    restore = _restore(context)
    assert restore.kept is not None
    open_for_writing(database=restore.database, name=restore.kept.name)
    return {}


def backup_step(context: StepContext) -> dict[str, Any]:
    """Back up the live database, as it is a moment before it is replaced."""
    return {"backup": str(back_up_now(context, _restore(context).database))}


def swap_step(context: StepContext) -> dict[str, Any]:
    restore = _restore(context)
    fresh = restore.kept.name if restore.kept is not None else context.results["load"]["name"]
    return swap_in(context, restore, fresh)


def record_step(context: StepContext) -> dict[str, Any]:
    kept = record_swap(restore=_restore(context, swapped=True), actor=context.actor, now=context.clock())
    return {"kept": str(kept.pk)}


def tidy_step(context: StepContext) -> dict[str, Any]:
    """Limits as they are by now, and settings once more; the old one opened for reading; leftovers cleared away."""
    restore = _restore(context, swapped=True)
    bound_growth(restore.database)
    admit_logins(restore.database)
    settle_restore(restore=restore, now=context.clock())
    measure_database(database_id=restore.database_id, now=context.clock())
    kept = KeptDatabase.objects.get(operation_id=restore.operation_id)
    restore.database.refresh_from_db()
    return {
        "backup": str(restore.backup_id) if restore.backup_id else None,
        "before": context.results["backup"]["backup"],
        "kept": {"id": str(kept.pk), "name": kept.name, "keep_until": kept.keep_until.isoformat()},
        "revision": restore.database.revision,
        "missing_migrations": kept.missing_migrations,
        "out_milliseconds": context.results["swap"]["out_milliseconds"],
        **{name: context.results["verify"][name] for name in ("tables", "rows") if "verify" in context.results},
    }


def keep_copy_step(context: StepContext) -> dict[str, Any]:
    """Give the copy the name by which it is found, and open it for reading."""
    restore = _restore(context)
    name = kept_name(restore.database, restore.operation_id)
    with open_server(restore.database.server) as server:
        loading.rename_once(server, context.results["load"]["name"], name)
    size = open_for_reading(database=restore.database, name=name)
    kept = record_copy(restore=restore, size_bytes=size, now=context.clock())
    settle_restore(restore=restore, now=context.clock())
    measure_database(database_id=restore.database_id, now=context.clock())
    return {
        "backup": str(restore.backup_id),
        "kept": {"id": str(kept.pk), "name": kept.name, "keep_until": kept.keep_until.isoformat()},
        "revision": kept.revision,
        **{name: context.results["verify"][name] for name in ("tables", "rows")},
    }


def _restore(context: StepContext, *, swapped: bool = False) -> Restore:
    """The restore of the operation. Raises DatabaseNotFound, and DatabaseNotReady when its database is being deleted
    now; once that was ``swapped``, the rest is done all the same."""
    restore = (
        Restore.objects.select_related("database__server", "database__workspace", "backup", "kept")
        .filter(operation_id=context.operation_id)
        .first()
    )
    if restore is None:
        raise DatabaseNotFound
    if restore.database.status != DatabaseStatus.READY and not swapped:
        raise DatabaseNotReady(f"The database is {restore.database.status} now.")
    return restore


_LOADING = [
    Step("check", check_step, "Checking the backup."),
    Step("fetch", fetch_step, "Fetching the backup.", time_limit=settings.BACKUP_TIME_LIMIT),
    Step("create", create_step, "Making a new database."),
    Step("load", load_step, "Loading the backup.", time_limit=settings.BACKUP_TIME_LIMIT),
    Step(
        "verify",
        verify_step,
        "Comparing what was loaded with the backup's manifest.",
        time_limit=settings.BACKUP_TIME_LIMIT,
    ),
    Step("grant", grant_step, "Giving the roles their rights."),
]
_SWAPPING = [
    Step("backup", backup_step, "Backing up the live database first.", time_limit=settings.BACKUP_TIME_LIMIT),
    Step("swap", swap_step, "Putting the restored database in the live one's place.", cancelable=False),
    Step("record", record_step, "Writing down what was restored.", cancelable=False),
    Step("tidy", tidy_step, "Opening the old database for reading.", cancelable=False),
]

RESTORE_STEPS = [*_LOADING, *_SWAPPING]
COPY_STEPS = [*_LOADING, Step("keep", keep_copy_step, "Opening the copy for reading.", cancelable=False)]
SWAP_BACK_STEPS = [
    Step("check", check_kept_step, "Looking for the kept database."),
    Step("grant", grant_kept_step, "Giving the roles their rights."),
    *_SWAPPING,
]
