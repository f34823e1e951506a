"""Writing down what has happened on the server: what is kept, and which migrations the restored database has had."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import transaction

from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor
from apps.databases.clients.applied import prepare_record, read_record
from apps.databases.models import KeptDatabase, Restore, WorkspaceDatabase
from apps.databases.models.kept_database import KeptOrigin
from apps.databases.services.connections import owner_session
from apps.databases.services.migration_records import copy_record, revision_of_record
from apps.databases.services.restores.names import kept_name
from apps.databases.services.servers import open_server
from apps.events.services import emit_event


def record_swap(*, restore: Restore, actor: Actor, now: datetime) -> KeptDatabase:
    """Bring the platform's rows in line with a swap that has happened, once; safe to repeat.

    The restored database itself says which migrations it has had. Those that the live one had before, and that are
    missing now, stand in ``missing_migrations`` of what is kept, as ``{version, name}``. Raises Unavailable.
    """
    # Read as the owner: what stands there is the workspace's, and may be anything.
    with open_server(restore.database.server, database=restore.database.name) as inside:
        prepare_record(inside, owner=restore.database.ddl_role)
    with owner_session(restore.database) as session:
        record = read_record(session)
    with transaction.atomic():
        database = WorkspaceDatabase.objects.select_for_update().get(pk=restore.database_id)
        found = KeptDatabase.objects.filter(operation_id=restore.operation_id).first()
        if found is not None:
            done: KeptDatabase = found
            return done
        gone, _ = copy_record(database, record)
        kept = KeptDatabase.objects.create(
            database=database,
            name=kept_name(database, restore.operation_id),
            origin=KeptOrigin.REPLACED,
            operation_id=restore.operation_id,
            revision=database.revision,
            missing_migrations=[{"version": row.version, "name": row.name} for row in gone],
            keep_until=now + settings.DATABASE_KEPT_FOR,
        )
        database.revision = revision_of_record(record)
        # Pools of connections are keyed by it: theirs led to the database that was replaced.
        database.secret_version += 1
        database.save(update_fields=["revision", "secret_version", "updated_at"])
        if restore.kept is not None:
            KeptDatabase.objects.filter(pk=restore.kept.pk).update(dropped_at=now)
        _tell(restore, database, kept, actor=actor, now=now)
    return kept


def record_copy(*, restore: Restore, size_bytes: int, now: datetime) -> KeptDatabase:
    """Write down that a backup was restored beside the live database, once; safe to repeat."""
    assert restore.backup is not None, "a copy is one of a backup"
    with transaction.atomic():
        kept, made = KeptDatabase.objects.get_or_create(
            operation_id=restore.operation_id,
            defaults={
                "database": restore.database,
                "name": kept_name(restore.database, restore.operation_id),
                "origin": KeptOrigin.COPY,
                "backup": restore.backup,
                "size_bytes": size_bytes,
                "revision": restore.backup.revision,
                "keep_until": now + settings.DATABASE_KEPT_FOR,
            },
        )
        if made:
            data = {"backup": str(restore.backup_id), "kept": str(kept.pk), "name": kept.name}
            emit_event(type="database.copied", workspace_id=restore.workspace_id, data=data, now=now)
    return kept


def _tell(restore: Restore, database: WorkspaceDatabase, kept: KeptDatabase, *, actor: Actor, now: datetime) -> None:
    data = {
        "backup": str(restore.backup_id) if restore.backup_id else None,
        "kept": str(kept.pk),
        "revision": database.revision,
        "missing_migrations": kept.missing_migrations,
    }
    emit_event(type="database.restored", workspace_id=restore.workspace_id, data=data, now=now)
    record_act_in(
        restore.database.workspace,
        actor=actor,
        action="database.restored",
        target=Target(kind="database", id=str(database.pk), name=database.name),
        now=now,
        changes={"backup": [None, data["backup"]], "kept_as": [None, kept.name]},
    )
