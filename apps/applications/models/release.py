"""Versions, which never change, and releases, whose history only grows."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models

from apps.applications.errors import NeverChanges
from apps.applications.querysets import AppendOnlyQuerySet
from apps.common.models import TenantModel
from apps.common.querysets import TenantManager


class WrittenOnce(TenantModel):
    """A row that is neither changed nor deleted once it was written (NeverChanges)."""

    objects: Any = TenantManager.of(AppendOnlyQuerySet)

    class Meta(TenantModel.Meta):
        abstract = True

    def save_base(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise NeverChanges(f"{type(self).__name__} {self.pk} was written once and can't be changed.")
        super().save_base(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NeverChanges(f"{type(self).__name__} {self.pk} can't be deleted.")


class AppVersion(WrittenOnce):
    """A definition as it was published: numbered per app, with every workflow that it names pinned inside."""

    app = models.ForeignKey("applications.App", on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of the canonical JSON (RFC 8785) of the definition.")
    note = models.CharField(max_length=500, blank=True)
    created_by = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    database_revision = models.PositiveIntegerField(null=True, blank=True)

    class Meta(WrittenOnce.Meta):
        abstract = False
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["app", "number"], name="one_version_per_app_and_number")]

    def __str__(self) -> str:
        return f"v{self.number}"


class Release(WrittenOnce):
    """That a version went live. Rolling back is a new release of an older version."""

    class Kind(models.TextChoices):
        PUBLISH = "publish", "Publish"
        ROLLBACK = "rollback", "Rollback"

    app = models.ForeignKey("applications.App", on_delete=models.PROTECT, related_name="+")
    sequence = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=Kind)
    version = models.ForeignKey(AppVersion, on_delete=models.PROTECT, related_name="+")
    actor = models.JSONField(default=dict)
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()

    class Meta(WrittenOnce.Meta):
        abstract = False
        ordering = ["-sequence"]
        constraints = [models.UniqueConstraint(fields=["app", "sequence"], name="one_release_per_app_and_sequence")]

    def __str__(self) -> str:
        return f"{self.kind} #{self.sequence}"
