"""The bases of the platform's models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models

from apps.common.ids import new_id
from apps.common.querysets import TenantManager, require_row
from apps.common.tenancy import current_schema


class UUIDModel(models.Model):
    """A row with a UUIDv7 key."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)

    class Meta:
        abstract = True


class TimestampedModel(UUIDModel):
    """A row that knows when it was made and last changed (UTC)."""

    created_at = models.DateTimeField(auto_now_add=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True, editable=False)

    class Meta:
        abstract = True


class TenantModel(UUIDModel):
    """The base of every table in a workspace's schema.

    A row remembers the schema it was made in or loaded from, and refuses to be saved, deleted or refreshed in another
    (WrongWorkspace).
    """

    _schema: str

    objects: Any = TenantManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._schema = current_schema()
        super().__init__(*args, **kwargs)

    def save_base(self, *args: Any, **kwargs: Any) -> None:
        require_row(self)
        super().save_base(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        require_row(self)
        return super().delete(*args, **kwargs)

    def refresh_from_db(
        self, using: str | None = None, fields: Iterable[str] | None = None, from_queryset: Any = None
    ) -> None:
        require_row(self)
        super().refresh_from_db(using=using, fields=fields, from_queryset=from_queryset)


class TimestampedTenantModel(TenantModel):
    """A workspace's row that knows when it was made and last changed (UTC)."""

    created_at = models.DateTimeField(auto_now_add=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True, editable=False)

    class Meta(TenantModel.Meta):
        abstract = True


class IdempotencyRecord(UUIDModel):
    """The first answer to a POST that carried an Idempotency-Key, kept so that a repeat gets the same."""

    caller = models.CharField(max_length=80)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, path and body.")
    locked_until = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(null=True, help_text="Sealed when the answer bears a secret.")
    sealed = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="one_answer_per_caller_and_key")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_created_at")]

    def __str__(self) -> str:
        return self.key


class RateCount(models.Model):
    """How often something happened in a window, for the time that Redis is down (``apps.common.rates``)."""

    bucket = models.CharField(max_length=250, primary_key=True)
    used = models.PositiveIntegerField()
    until = models.DateTimeField()

    def __str__(self) -> str:
        return self.bucket
