"""The platform's copy of what migrations a database has had. The truth is the database's own record."""

from __future__ import annotations

from collections.abc import Sequence

from apps.databases.clients.applied import AppliedMigration
from apps.databases.models import SchemaMigration, WorkspaceDatabase
from apps.operations.services.kinds import StepContext


def revision_of_record(record: Sequence[AppliedMigration]) -> int:
    """The highest version; 0 for a database that has had none."""
    return max((one.version for one in record), default=0)


def copy_record(
    database: WorkspaceDatabase, record: Sequence[AppliedMigration], *, applied_in: StepContext | None = None
) -> tuple[list[SchemaMigration], list[AppliedMigration]]:
    """Make the rows of a locked database say what its record says; returns the rows that went and what is new.

    ``applied_in`` is the operation that applies migrations now: its rows name it, and who asked for it. After a restore
    there is none, and new rows name no operation.
    """
    rows = list(SchemaMigration.objects.filter(database=database).defer("sql"))
    said = {(one.version, one.checksum) for one in record}
    gone = [row for row in rows if (row.version, row.checksum) not in said]
    known = {(row.version, row.checksum) for row in rows}
    new = [one for one in record if (one.version, one.checksum) not in known]
    SchemaMigration.objects.filter(pk__in=[row.pk for row in gone]).delete()
    SchemaMigration.objects.bulk_create(_row_of(database, one, applied_in) for one in new)
    return gone, new


def _row_of(database: WorkspaceDatabase, one: AppliedMigration, applied_in: StepContext | None) -> SchemaMigration:
    mine = applied_in is not None and one.operation == applied_in.operation_id
    return SchemaMigration(
        database=database,
        version=one.version,
        name=one.name[:100],
        sql=one.sql,
        checksum=one.checksum,
        applied_at=one.applied_at,
        milliseconds=one.milliseconds,
        operation_id=one.operation if applied_in is not None else None,
        applied_by=applied_in.actor.as_json() if applied_in is not None and mine else {},
    )
