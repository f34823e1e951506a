"""Versions, which never change, and releases, whose history only grows."""

from __future__ import annotations

from django.db import models

from apps.common.models import TenantModel


class AppVersion(TenantModel):
    """A definition as it was published: numbered per app, with every workflow that it names pinned inside."""

    app = models.ForeignKey("applications.App", on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of the canonical JSON (RFC 8785) of the definition.")
    note = models.CharField(max_length=500, blank=True)
    created_by = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    database_revision = models.PositiveIntegerField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["app", "number"], name="one_version_per_app_and_number")]

    def __str__(self) -> str:
        return f"v{self.number}"


class Release(TenantModel):
    """That a version went live. Rolling back is a new release of an older version."""

    class Kind(models.TextChoices):
        PUBLISH = "publish", "Publish"
        ROLLBACK = "rollback", "Rollback"

    app = models.ForeignKey("applications.App", on_delete=models.PROTECT, related_name="releases")
    sequence = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=Kind)
    version = models.ForeignKey(AppVersion, on_delete=models.PROTECT, related_name="releases")
    actor = models.JSONField(default=dict)
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        ordering = ["-sequence"]
        constraints = [models.UniqueConstraint(fields=["app", "sequence"], name="one_release_per_app_and_sequence")]

    def __str__(self) -> str:
        return f"{self.kind} #{self.sequence}"
