"""Writing down what has happened on the server: what is kept, and which migrations the restored database has had."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor
from apps.databases.clients.applied import AppliedMigration, prepare_record, read_record
from apps.databases.models import KeptDatabase, Restore, SchemaMigration, WorkspaceDatabase
from apps.databases.models.kept_database import KeptOrigin
from apps.databases.services.connections import owner_session
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
        kept = KeptDatabase.objects.create(
            database=database,
            name=kept_name(database, restore.operation_id),
            origin=KeptOrigin.REPLACED,
            operation_id=restore.operation_id,
            revision=database.revision,
            missing_migrations=_replace_migrations(database, record),
            keep_until=now + settings.DATABASE_KEPT_FOR,
        )
        database.revision = _revision(record)
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


def _replace_migrations(database: WorkspaceDatabase, record: Sequence[AppliedMigration]) -> list[dict[str, Any]]:
    """Make the platform's rows say what the record says; those that are missing in it."""
    rows = SchemaMigration.objects.filter(database=database)
    said = {(one.version, one.checksum) for one in record}
    gone = [row for row in rows if (row.version, row.checksum) not in said]
    rows.filter(pk__in=[row.pk for row in gone]).delete()
    known = set(rows.values_list("version", flat=True))
    SchemaMigration.objects.bulk_create(
        SchemaMigration(
            database=database,
            version=one.version,
            name=one.name[:100],
            sql=one.sql,
            checksum=one.checksum,
            applied_at=one.applied_at,
            milliseconds=one.milliseconds,
        )
        for one in record
        if one.version not in known
    )
    return [{"version": row.version, "name": row.name} for row in gone]


def _revision(record: Sequence[AppliedMigration]) -> int:
    return max((one.version for one in record), default=0)


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
