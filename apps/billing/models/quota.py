"""How much of a dimension a workspace may use, and what of it is used."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import models
from django.db.models import F, Q

from apps.billing.querysets import QuotaQuerySet
from apps.common.models import TenantModel
from apps.common.querysets import TenantManager

#: ``valid_until`` of what changes at no known time.
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)


class Quota(TenantModel):
    """A dimension's limits in this workspace, and its use in the present period.

    The row is true until ``valid_until``: then its period ends, or an override or a grace does, and whoever needs it
    next brings it up to date under its lock (``services.quotas``). A statement that counts use names that moment in its
    condition, so nothing is ever counted by limits, or in a period, that are over.

    ``used`` is the sum of the period's events; ``reserved`` the sum of what reservations and leases hold; ``overage``
    the part of ``used`` that lay above the hard limit when it was used, where the plan allows that.
    """

    class Source(models.TextChoices):
        PLAN = "plan", "Plan"
        OVERRIDE = "override", "Override"
        GRACE = "grace", "Grace"

    dimension = models.CharField(max_length=60, unique=True)
    kind = models.CharField(max_length=10)
    reset = models.CharField(max_length=10)
    soft_limit = models.BigIntegerField(null=True)
    hard_limit = models.BigIntegerField(null=True, help_text="None is unlimited.")
    overage_allowed = models.BooleanField(default=False)
    limit_source = models.CharField(max_length=10, choices=Source, default=Source.PLAN)
    grace_until = models.DateTimeField(null=True, help_text="Until then the limits from before a change hold.")

    used = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)
    overage = models.BigIntegerField(default=0)
    anchor = models.DateField(help_text="The day, in the workspace's time zone, from which periods are counted.")
    period_start = models.DateTimeField()
    period_end = models.DateTimeField(null=True, help_text="None for what never resets.")
    valid_until = models.DateTimeField()
    alerted = models.PositiveSmallIntegerField(default=0, help_text="The highest threshold told in this period, in %.")
    over_since = models.DateTimeField(null=True, help_text="Since when more is used than the hard limit allows.")
    measured_at = models.DateTimeField(null=True, help_text="When a level was last measured.")

    objects: Any = TenantManager.of(QuotaQuerySet)

    class Meta(TenantModel.Meta):
        ordering = ["dimension"]
        constraints = [
            models.CheckConstraint(
                condition=Q(used__gte=0, reserved__gte=0, overage__gte=0, overage__lte=F("used")),
                name="use_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(hard_limit=None)
                | Q(overage_allowed=True)
                | Q(over_since__isnull=False)
                | Q(hard_limit__gte=F("used") + F("reserved")),
                name="use_within_hard_limit",
            ),
        ]

    def __str__(self) -> str:
        return self.dimension

    @property
    def ceiling(self) -> int | None:
        """What use is compared with for people: the hard limit, else the soft one; None when there is none."""
        return self.hard_limit if self.hard_limit is not None else self.soft_limit

    @property
    def enforced_limit(self) -> int | None:
        """What use is kept below; None for no hard limit, and where use may go on above it."""
        return None if self.overage_allowed else self.hard_limit

    @property
    def room(self) -> int | None:
        """How much more can be used; None is any amount."""
        limit = self.enforced_limit
        return None if limit is None else max(0, limit - self.used - self.reserved)


class QuotaOverride(TenantModel):
    """Limits that an operator gave this workspace instead of its plan's, until ``ends_at``."""

    dimension = models.CharField(max_length=60, unique=True)
    soft_limit = models.BigIntegerField(null=True)
    hard_limit = models.BigIntegerField(null=True)
    overage_allowed = models.BooleanField(default=False)
    reason = models.CharField(max_length=300)
    ends_at = models.DateTimeField()
    made_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        ordering = ["dimension"]

    def __str__(self) -> str:
        return self.dimension


class ClosedPeriod(TenantModel):
    """What was used in a period that is over."""

    dimension = models.CharField(max_length=60)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    used = models.BigIntegerField()
    overage = models.BigIntegerField()
    soft_limit = models.BigIntegerField(null=True)
    hard_limit = models.BigIntegerField(null=True)

    class Meta(TenantModel.Meta):
        ordering = ["-started_at", "dimension"]
        constraints = [models.UniqueConstraint(fields=["dimension", "started_at"], name="period_is_closed_once")]

    def __str__(self) -> str:
        return f"{self.dimension} {self.started_at:%Y-%m-%d}"
