"""Workspaces."""

from __future__ import annotations

from django.db import models

from apps.common.models import TimestampedModel, UUIDModel
from apps.common.states import StatefulModel
from apps.workspaces.querysets import WorkspaceQuerySet
from apps.workspaces.states import WORKSPACE_TRANSITIONS, WorkspaceStatus


class Workspace(StatefulModel, TimestampedModel):
    """A team's place: its own schema, members, apps.

    This is django-tenants' tenant model without its mixin, which would make the schema in ``save`` and keeps the
    entered tenant in a list that all threads share; ``apps.common.tenancy`` enters, a slot brings the schema.
    """

    transitions = WORKSPACE_TRANSITIONS

    slug = models.CharField(max_length=63)
    name = models.CharField(max_length=100)
    display_name = models.CharField(max_length=150, blank=True)
    schema_name = models.CharField(max_length=63, unique=True, editable=False)
    fingerprint = models.CharField(max_length=64, blank=True, editable=False, help_text="Migrations its schema has.")
    migration_error = models.TextField(
        blank=True, editable=False, help_text="Why the fleet migrator could not bring its schema to this release."
    )
    owner = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="owned_workspaces")
    plan_code = models.CharField("plan", max_length=40, default="free")
    default_app_id = models.UUIDField(null=True, blank=True, help_text="The app that the short form acts on.")
    time_zone = models.CharField(max_length=64, default="UTC")
    locale = models.CharField(max_length=16, default="en")
    config = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=14, choices=WorkspaceStatus, default=WorkspaceStatus.PROVISIONING)
    status_before_closing = models.CharField(max_length=14, blank=True, editable=False)
    suspended_reason = models.CharField(max_length=300, blank=True)
    purge_after = models.DateTimeField(null=True, blank=True)
    purge_started_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="From here on there is no way back."
    )

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="slug_belongs_to_one_workspace"),
            models.CheckConstraint(
                condition=~models.Q(status=WorkspaceStatus.ACTIVE) | ~models.Q(fingerprint=""),
                name="active_workspace_has_a_known_schema",
            ),
            models.CheckConstraint(
                condition=~models.Q(status__in=[WorkspaceStatus.CLOSING, WorkspaceStatus.CLOSED])
                | models.Q(purge_after__isnull=False),
                name="closing_workspace_has_a_purge_date",
            ),
        ]
        indexes = [
            models.Index(fields=["fingerprint", "status"], name="workspace_fingerprint"),
            models.Index(
                fields=["purge_after"],
                condition=models.Q(status__in=[WorkspaceStatus.CLOSING, WorkspaceStatus.CLOSED]),
                name="workspace_purge_due",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SlugHold(UUIDModel):
    """A slug that was given up, kept from other owners for a while."""

    slug = models.CharField(max_length=63, unique=True)
    owner = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="+")
    until = models.DateTimeField()

    def __str__(self) -> str:
        return self.slug
