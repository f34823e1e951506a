"""Which events."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models

if TYPE_CHECKING:
    from apps.events.models import Event

    _Events = models.QuerySet[Event]
else:
    _Events = models.QuerySet


class EventQuerySet(_Events):
    """Events by whom they concern and what has to happen to them."""

    def to_relay(self, now: datetime) -> Self:
        """Not yet with everybody who takes them up, oldest first."""
        return self.filter(relayed_at=None, relay_after__lte=now).order_by("relay_after", "id")

    def of_workspace(self, workspace_id: UUID) -> Self:
        return self.filter(workspace_id=workspace_id)
