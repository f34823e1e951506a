"""Slow work as rows."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Now

from apps.common.models import TimestampedModel, UUIDModel
from apps.common.states import StatefulModel
from apps.operations.querysets import OperationQuerySet
from apps.operations.states import FINISHED, OPERATION_TRANSITIONS, OperationStatus, Outcome


class Operation(StatefulModel, TimestampedModel):
    """One piece of slow work: the truth about it. The message in the queue is only a wake-up.

    ``steps`` holds, for each named step of the kind, ``{name, done_at, result}`` once it is done, so that a retry goes
    on behind them. ``lease_until`` is when another worker may take over. ``attempt`` counts claims and never goes back,
    so that a late answer of an older attempt is recognised; ``failures`` counts towards the limit, and Retry resets it.
    """

    transitions = OPERATION_TRANSITIONS

    kind = models.CharField(max_length=60)
    group = models.CharField(max_length=60, help_text="Kinds of one group exclude each other on a target.")
    queue = models.CharField(max_length=40, default="default", help_text="Whose workers carry it out.")
    workspace_id = models.UUIDField(null=True)
    target_kind = models.CharField(max_length=40)
    target_id = models.CharField(max_length=80)
    params = models.JSONField(default=dict, help_text="Ids only.")
    status = models.CharField(max_length=12, choices=OperationStatus, default=OperationStatus.QUEUED)
    priority = models.SmallIntegerField(default=0, help_text="Higher goes first.")
    progress = models.PositiveSmallIntegerField(default=0, help_text="Percent.")
    message = models.CharField(max_length=300, blank=True)
    steps = models.JSONField(default=list)
    current_step = models.CharField(max_length=80, blank=True, help_text="The step that was begun last.")
    attempt = models.PositiveIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0)
    lease_owner = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField()
    waiting_since = models.DateTimeField(
        db_default=Now(), help_text="When it last became due; being found busy or unknown doesn't begin it anew."
    )
    waits_for_target = models.BooleanField(default=False, help_text="Another operation on its target was running.")
    cancel_requested = models.BooleanField(default=False)
    error = models.JSONField(null=True)
    result = models.JSONField(null=True)
    requested_by = models.JSONField(default=dict, blank=True, help_text="The actor, as it was then.")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["group", "target_kind", "target_id"],
                condition=models.Q(status=OperationStatus.RUNNING),
                name="one_running_operation_per_target",
            ),
            models.CheckConstraint(condition=models.Q(progress__lte=100), name="operation_progress_is_percent"),
        ]
        indexes = [
            models.Index(
                fields=["-priority", "next_attempt_at"],
                condition=models.Q(status=OperationStatus.QUEUED),
                name="operation_due",
            ),
            models.Index(
                fields=["queue", "workspace_id", "-priority", "next_attempt_at", "id"],
                condition=models.Q(status=OperationStatus.QUEUED),
                name="operation_turns",
            ),
            models.Index(
                fields=["lease_until"], condition=models.Q(status=OperationStatus.RUNNING), name="operation_leases"
            ),
            models.Index(
                fields=["-finished_at", "-id"],
                condition=models.Q(status=OperationStatus.FAILED),
                name="operation_failures",
            ),
            models.Index(fields=["-created_at", "-id"], name="operation_newest"),
            models.Index(fields=["workspace_id", "-created_at", "-id"], name="operation_by_workspace"),
            models.Index(fields=["target_kind", "target_id", "-created_at"], name="operation_by_target"),
        ]

    #: The step that the claim itself wrote down as begun; of this instance only, no column.
    step_begun: str = ""

    objects: Any = OperationQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.kind} {self.target_id}"

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED


class OperationTally(UUIDModel):
    """How often operations of a kind came to an outcome: the sum over all rows of the kind and the outcome.

    Each ending adds a row, in its own transaction, so that nobody waits for another's count; now and then a job folds
    them together. Operations are forgotten after a time; what was counted stays.
    """

    kind = models.CharField(max_length=60)
    outcome = models.CharField(max_length=12, choices=Outcome)
    count = models.PositiveBigIntegerField(default=1)
    seconds = models.FloatField(default=0, help_text="From the first claim to the end, added up.")

    def __str__(self) -> str:
        return f"{self.kind} {self.outcome} {self.count}"


class WorkspaceTurn(models.Model):
    """When a workspace's work was taken up last. Whoever claims an operation of it holds this row's lock meanwhile, so
    that its limit of running operations is exact."""

    workspace_id = models.UUIDField(primary_key=True)
    served_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.workspace_id)
