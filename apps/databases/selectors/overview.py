"""A workspace's database as it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from apps.databases.models import Backup, WorkspaceDatabase
from apps.databases.states import USABLE


@dataclass(frozen=True, slots=True)
class DatabaseOverview:
    """A database, and when it was backed up last: stored, and proved restorable."""

    database: WorkspaceDatabase
    last_stored_at: datetime | None
    last_proved_at: datetime | None


def overview_of(database: WorkspaceDatabase) -> DatabaseOverview:
    """One query beside the row."""
    usable = Backup.objects.filter(database=database, status__in=USABLE)
    return DatabaseOverview(
        database, **usable.aggregate(last_stored_at=Max("stored_at"), last_proved_at=Max("proved_at"))
    )
