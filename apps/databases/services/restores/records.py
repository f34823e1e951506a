"""Writing down that a swap has happened: what is kept, and which migrations the restored database has had."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor
from apps.databases.models import KeptDatabase, Restore, WorkspaceDatabase
from apps.databases.models.kept_database import KeptOrigin
from apps.databases.services.migration_records import (
    missing_migrations,
    read_migration_records,
    replace_migration_records,
)
from apps.databases.services.restores.names import kept_name
from apps.events.services import emit_event


def record_swap(*, restore: Restore, actor: Actor, now: datetime) -> list[dict[str, Any]]:
    """Bring the platform's rows in line with the swap, once; safe to repeat.

    Returns the migrations that the database had before and that are missing in the restored one, as
    ``{version, name}``.
    """
    with transaction.atomic():
        database = WorkspaceDatabase.objects.select_for_update().get(pk=restore.database_id)
        kept = KeptDatabase.objects.filter(operation_id=restore.operation_id).first()
        if kept is not None:
            return missing_migrations(kept.migrations, read_migration_records(database))
        before = read_migration_records(database)
        kept = KeptDatabase.objects.create(
            database=database,
            name=kept_name(database, restore.operation_id),
            origin=KeptOrigin.REPLACED,
            operation_id=restore.operation_id,
            size_bytes=database.size_bytes,
            revision=database.revision,
            migrations=before,
            keep_until=now + settings.DATABASE_KEPT_FOR,
        )
        revision, after = restored_migrations(restore, before)
        replace_migration_records(database, after)
        database.revision = revision
        # Pools of connections are keyed by it: theirs led to the database that was replaced.
        database.secret_version += 1
        database.save(update_fields=["revision", "secret_version", "updated_at"])
        if restore.kept is not None:
            KeptDatabase.objects.filter(pk=restore.kept.pk).update(dropped_at=now)
        missing = missing_migrations(before, after)
        _tell(restore, kept, missing, actor=actor, now=now)
    return missing


def record_copy(*, restore: Restore, size_bytes: int, actor: Actor, now: datetime) -> KeptDatabase:
    """Write down that a backup was restored beside the live database; safe to repeat."""
    database = restore.database
    revision, migrations = restored_migrations(restore, read_migration_records(database))
    with transaction.atomic():
        kept, made = KeptDatabase.objects.get_or_create(
            operation_id=restore.operation_id,
            defaults={
                "database": database,
                "name": kept_name(database, restore.operation_id),
                "origin": KeptOrigin.COPY,
                "backup": restore.backup,
                "size_bytes": size_bytes,
                "revision": revision,
                "migrations": migrations,
                "keep_until": now + settings.DATABASE_KEPT_FOR,
            },
        )
        if made:
            data = {"backup": str(restore.backup_id), "kept": str(kept.pk), "name": kept.name}
            emit_event(type="database.copied", workspace_id=restore.workspace_id, data=data, now=now)
    return kept


def restored_migrations(restore: Restore, present: list[dict[str, Any]]) -> tuple[int, list[dict[str, Any]]]:
    """The revision and the migrations' records of what is put in the live database's place."""
    if restore.kept is not None:
        return restore.kept.revision, restore.kept.migrations
    assert restore.backup is not None, "what isn't put back comes from a backup"
    revision = restore.backup.revision
    written = (restore.backup.manifest or {}).get("migrations")
    # Migrations only grow, so of an older database they are the first ones of what there is now.
    return revision, written if written is not None else [one for one in present if one["version"] <= revision]


def _tell(restore: Restore, kept: KeptDatabase, missing: list[dict[str, Any]], *, actor: Actor, now: datetime) -> None:
    data = {
        "backup": str(restore.backup_id) if restore.backup_id else None,
        "kept": str(kept.pk),
        "revision": kept.database.revision,
        "missing_migrations": missing,
    }
    emit_event(type="database.restored", workspace_id=restore.workspace_id, data=data, now=now)
    record_act_in(
        restore.database.workspace,
        actor=actor,
        action="database.restored",
        target=Target(kind="database", id=str(restore.database_id), name=restore.database.name),
        now=now,
        changes={"backup": [None, data["backup"]], "kept_as": [None, kept.name]},
    )
