"""The records of a database's migrations as plain values: in manifests of backups and with kept databases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from apps.databases.models import SchemaMigration, WorkspaceDatabase


def read_migration_records(database: WorkspaceDatabase) -> list[dict[str, Any]]:
    """The migrations that the database has had, in order, as JSON."""
    return [
        {
            "version": row.version,
            "name": row.name,
            "sql": row.sql,
            "checksum": row.checksum,
            "applied_at": row.applied_at.isoformat(),
            "milliseconds": row.milliseconds,
            "applied_by": row.applied_by,
        }
        for row in SchemaMigration.objects.filter(database=database).order_by("version")
    ]


def replace_migration_records(database: WorkspaceDatabase, records: Iterable[Mapping[str, Any]]) -> None:
    """Make the rows say what ``records`` say. To be called in a transaction that has locked the database's row."""
    SchemaMigration.objects.filter(database=database).delete()
    SchemaMigration.objects.bulk_create(
        SchemaMigration(
            database=database, **{**record, "applied_at": datetime.fromisoformat(str(record["applied_at"]))}
        )
        for record in records
    )


def missing_migrations(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Those of ``before`` that are not in ``after``, as ``{version, name}``, in order."""
    had = {(record["version"], record["checksum"]) for record in after}
    return [
        {"version": record["version"], "name": record["name"]}
        for record in before
        if (record["version"], record["checksum"]) not in had
    ]
