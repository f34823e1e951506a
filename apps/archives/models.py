"""Archives of workspaces: what was exported, and what was brought."""

from __future__ import annotations

from typing import Any

from django.db import models

from apps.archives.querysets import ExportQuerySet, ImportQuerySet
from apps.archives.states import EXPORT_TRANSITIONS, IMPORT_TRANSITIONS, ExportStatus, ImportStatus
from apps.common.models import TimestampedModel
from apps.common.states import StatefulModel


class StoredArchive(models.Model):
    """An archive in the storage, sealed. ``size_bytes`` and ``sha256`` are of what people hold, unsealed."""

    storage_name = models.CharField(max_length=255, blank=True, editable=False)
    sealed_key = models.TextField(blank=True, editable=False, help_text="The data key of the sealed file, wrapped.")
    size_bytes = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    tables = models.PositiveIntegerField(default=0)
    rows = models.PositiveBigIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)
    expires_at = models.DateTimeField(help_text="When the file is deleted.")

    class Meta:
        abstract = True


class WorkspaceExport(StoredArchive, StatefulModel, TimestampedModel):
    """A workspace's own schema and settings, as they were at one moment."""

    transitions = EXPORT_TRANSITIONS

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="+")
    status = models.CharField(max_length=8, choices=ExportStatus, default=ExportStatus.MAKING)
    requested_by = models.JSONField(default=dict, blank=True, help_text="The actor, as it was then.")
    manifest = models.JSONField(null=True, blank=True)

    objects: Any = ExportQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["workspace", "-created_at", "-id"], name="export_by_workspace"),
            models.Index(fields=["status", "expires_at"], name="export_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M}"


class WorkspaceImport(StoredArchive, StatefulModel, TimestampedModel):
    """An archive that somebody brought, to become a workspace that they own.

    ``workspace_id`` is what the new workspace is called from the start, so that whoever tries again makes the same one.
    """

    transitions = IMPORT_TRANSITIONS

    owner = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    workspace_id = models.UUIDField(unique=True, editable=False)
    slug = models.CharField(max_length=63, blank=True, help_text="As asked for; empty: from the name.")
    name = models.CharField(max_length=100, blank=True, help_text="As asked for; empty: the archive's.")
    status = models.CharField(max_length=8, choices=ImportStatus, default=ImportStatus.RECEIVED)
    source = models.JSONField(default=dict, blank=True, help_text="What the archive says of where it comes from.")

    objects: Any = ImportQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["status", "expires_at"], name="import_expiry")]

    def __str__(self) -> str:
        return self.name or str(self.pk)
