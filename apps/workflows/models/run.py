"""What ran."""

from __future__ import annotations

from typing import Any

from django.db import models

from apps.common.models import TenantModel
from apps.common.querysets import TenantManager
from apps.common.states import StatefulModel
from apps.workflows.querysets import RunQuerySet
from apps.workflows.states import RUN_TRANSITIONS, RunStatus, StepStatus


class Run(StatefulModel, TenantModel):
    """One execution of a pinned definition. Apps are referred to by id only: they belong to a higher app."""

    class Trigger(models.TextChoices):
        API = "api", "API"
        RUNTIME = "runtime", "Runtime"
        SCHEDULE = "schedule", "Schedule"
        EVENT = "event", "Event"
        WEBHOOK = "webhook", "Webhook"

    transitions = RUN_TRANSITIONS

    objects: Any = TenantManager.of(RunQuerySet)

    workflow = models.ForeignKey("workflows.Workflow", null=True, on_delete=models.SET_NULL, related_name="+")
    app_id = models.UUIDField(null=True)
    app_version_id = models.UUIDField(null=True)
    action = models.CharField(max_length=60, blank=True)
    session_id = models.UUIDField(null=True, help_text="The visitor's session, who alone may read the result.")
    definition = models.JSONField(null=True, help_text="The pinned definition, where no app version holds it.")
    trigger = models.CharField(max_length=10, choices=Trigger)
    status = models.CharField(max_length=10, choices=RunStatus, default=RunStatus.QUEUED)
    inputs = models.JSONField(default=dict)
    outputs = models.JSONField(null=True)
    error = models.JSONField(null=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="run_newest_first"),
            models.Index(fields=["app_id", "-created_at"], name="run_by_app"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class StepRun(TenantModel):
    """One attempt at one step of a run."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="step_runs")
    step = models.CharField(max_length=60)
    position = models.PositiveSmallIntegerField()
    attempt = models.PositiveSmallIntegerField(default=1)
    status = models.CharField(max_length=10, choices=StepStatus)
    input = models.JSONField(null=True)
    output = models.JSONField(null=True)
    error = models.JSONField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        ordering = ["position", "attempt"]
        constraints = [models.UniqueConstraint(fields=["run", "step", "attempt"], name="one_row_per_step_and_attempt")]

    def __str__(self) -> str:
        return self.step
