"""Which events."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db import models


class EventQuerySet(models.QuerySet[Any]):
    """Events by whom they concern and what has to happen to them."""

    def to_relay(self, now: datetime) -> Self:
        """Not yet with everybody who takes them up, oldest first."""
        return self.filter(relayed_at=None, relay_after__lte=now).order_by("relay_after", "id")

    def relayed_before(self, moment: datetime) -> Self:
        """With everybody who takes them up, and since longer ago."""
        return self.filter(relayed_at__lt=moment)

    def of_workspace(self, workspace_id: UUID) -> Self:
        return self.filter(workspace_id=workspace_id)
