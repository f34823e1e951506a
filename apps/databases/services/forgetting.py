"""Forgetting what is only of use while somebody may ask how it was: requests, restores, and rows of what is gone."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings

from apps.common.retention import delete_some, forget_in_batches
from apps.common.tenancy import enter_public
from apps.databases.models import Backup, KeptDatabase, MigrationRequest, Restore, WorkspaceDatabase
from apps.databases.services.migration_requests import KIND as MIGRATE
from apps.operations.selectors.pending import pending_of_kind


def forget_old_records(*, now: datetime) -> int:
    """Delete what has been over for longer than ``DATABASE_RECORD_RETENTION``; returns how many rows.

    Requests for migrations whose operation has ended (what was applied stays, as ``SchemaMigration``), restores that
    are settled, kept databases that are dropped, backups whose files are deleted.
    """
    before = now - settings.DATABASE_RECORD_RETENTION
    with enter_public():
        requests = MigrationRequest.objects.filter(created_at__lt=before).order_by("created_at")
        requests = requests.exclude(operation_id__in=pending_of_kind(MIGRATE))
        count = forget_in_batches("databases.migration_requests", lambda limit: delete_some(requests, limit)).count
        # What restores point to goes after them.
        restores = Restore.objects.settled_before(before).order_by("pk")
        count += forget_in_batches("databases.restores", lambda limit: delete_some(restores, limit)).count
        kept = KeptDatabase.objects.dropped_before(before).order_by("pk")
        count += forget_in_batches("databases.kept", lambda limit: delete_some(kept, limit)).count
        backups = Backup.objects.without_files_before(before).order_by("pk")
        count += forget_in_batches("databases.backups", lambda limit: delete_some(backups, limit)).count
    return count


def forget_databases_of(workspace_id: UUID) -> int:
    """Delete the rows of the databases that a purged workspace has had, with their schedules, migrations and restores;
    returns how many. What was on the servers and in the storage is gone before.

    Raises ProtectedError when a backup was written down at this moment: its files go first.
    """
    return int(WorkspaceDatabase.objects.of_workspace(workspace_id).delete()[0])
