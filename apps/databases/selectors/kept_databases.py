"""The databases beside a workspace's live one."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from apps.databases.models import KeptDatabase
from apps.databases.querysets import KeptDatabaseQuerySet


def kept_databases(*, workspace_id: UUID, now: datetime) -> KeptDatabaseQuerySet:
    """Those that are there and stay for a while; given-up ones are not shown any more."""
    return KeptDatabase.objects.lasting(now).of_workspace(workspace_id)
