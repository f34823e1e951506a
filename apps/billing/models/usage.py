"""What was used: the ledger, and its sums by app and time."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q

from apps.billing.querysets import AppUsageQuerySet, UsageEventQuerySet
from apps.common.models import TenantModel
from apps.common.querysets import TenantManager


class UsageEvent(TenantModel):
    """One entry of the ledger, never changed and never deleted; what was wrong is made good by another one.

    ``period_start`` says which period it counts in: the one that was open when it was written, not when it happened.
    ``answer`` is what its first caller was told, for a replay of its key; ``fingerprint`` tells whether it is one.
    """

    dimension = models.CharField(max_length=60)
    amount = models.BigIntegerField(help_text="In the dimension's unit; negative in a correction.")
    overage = models.BigIntegerField(default=0, help_text="The part of amount above the hard limit.")
    app_id = models.UUIDField(null=True)
    source = models.CharField(max_length=30)
    occurred_at = models.DateTimeField()
    period_start = models.DateTimeField()
    idempotency_key = models.CharField(max_length=200, null=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    answer = models.JSONField(null=True)
    note = models.CharField(max_length=300, blank=True)
    actor = models.CharField(max_length=150, blank=True)
    corrects = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+", db_index=False)

    objects: Any = TenantManager.of(UsageEventQuerySet)

    class Meta(TenantModel.Meta):
        ordering = ["-occurred_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="use_is_of_something"),
            # Partial, and not ``unique=True``, which would add an index for LIKE: every use pays for each index.
            models.UniqueConstraint(
                fields=["idempotency_key"], condition=Q(idempotency_key__isnull=False), name="a_key_counts_once"
            ),
        ]
        indexes = [
            models.Index(fields=["dimension", "period_start"], include=["amount", "overage"], name="usage_by_period"),
            models.Index(F("occurred_at").desc(), F("id").desc(), name="usage_newest_first"),
            models.Index("dimension", F("occurred_at").desc(), F("id").desc(), name="usage_by_dimension_newest"),
            models.Index("app_id", F("occurred_at").desc(), F("id").desc(), name="usage_by_app_newest"),
            models.Index(fields=["corrects"], condition=Q(corrects__isnull=False), name="usage_corrections"),
        ]

    def __str__(self) -> str:
        return f"{self.dimension} {self.amount:+}"


class AppUsage(TenantModel):
    """The use of one app, or of none (null), in one dimension, in an hour (UTC) or a day of the workspace's zone."""

    class Bucket(models.TextChoices):
        HOUR = "hour", "Hour"
        DAY = "day", "Day"

    app_id = models.UUIDField(null=True)
    dimension = models.CharField(max_length=60)
    bucket = models.CharField(max_length=4, choices=Bucket)
    start = models.DateTimeField()
    amount = models.BigIntegerField()

    objects: Any = TenantManager.of(AppUsageQuerySet)

    class Meta(TenantModel.Meta):
        ordering = ["-start", "dimension"]
        constraints = [
            models.UniqueConstraint(
                fields=["bucket", "start", "dimension", "app_id"],
                nulls_distinct=False,
                name="use_of_an_app_in_a_bucket_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.dimension} {self.start:%Y-%m-%d %H:%M}"
