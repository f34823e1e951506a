"""Which operations."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models
from django.db.models.functions import Coalesce

from apps.operations.states import FINISHED, PENDING, OperationStatus

if TYPE_CHECKING:
    from apps.operations.models import Operation

    _Operations = models.QuerySet[Operation]
else:
    _Operations = models.QuerySet


class OperationQuerySet(_Operations):
    """Operations by what has to happen to them."""

    def due(self, now: datetime) -> Self:
        """Waiting to be claimed, the urgent ones first."""
        return self.filter(status=OperationStatus.QUEUED, next_attempt_at__lte=now).order_by(
            "-priority", "next_attempt_at", "id"
        )

    def abandoned(self, now: datetime) -> Self:
        """Claimed by a worker that has not been heard of since its lease ran out."""
        return self.filter(status=OperationStatus.RUNNING, lease_until__lt=now).order_by("lease_until", "id")

    def pending(self) -> Self:
        return self.filter(status__in=PENDING)

    def finished_before(self, moment: datetime) -> Self:
        """At their end, and since longer ago."""
        return self.filter(status__in=FINISHED, finished_at__lt=moment)

    def waiting_in(self, queue: str, workspace_id: UUID) -> Self:
        """The workspace's in this queue that nobody has taken up."""
        return self.filter(status=OperationStatus.QUEUED, queue=queue, workspace_id=workspace_id)

    def with_running(self) -> Self:
        """Each with ``running``: how many of its workspace a worker is at."""
        same = self.model._default_manager.filter(
            status=OperationStatus.RUNNING, workspace_id=models.OuterRef("workspace_id")
        )
        counted = same.order_by().values("workspace_id").annotate(count=models.Count("pk")).values("count")
        return self.annotate(running=Coalesce(models.Subquery(counted), 0))

    def on_target(self, target_kind: str, target_id: UUID | str) -> Self:
        return self.filter(target_kind=target_kind, target_id=str(target_id))

    def of_workspace(self, workspace_id: UUID) -> Self:
        return self.filter(workspace_id=workspace_id)

    def held_by(self, operation_id: UUID, attempt: int) -> Self:
        """The operation, as long as this attempt holds its lease: every write of a worker goes through here."""
        return self.filter(pk=operation_id, attempt=attempt, status=OperationStatus.RUNNING)
