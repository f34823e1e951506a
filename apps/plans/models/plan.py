"""What a workspace may use."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models

from apps.common.models import UUIDModel


class Plan(models.Model):
    """A set of limits under a name."""

    code = models.CharField(max_length=40, primary_key=True)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=300, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    running_operations = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="How many operations of a workspace run at once; empty: OPERATION_RUNNING_PER_WORKSPACE.",
    )

    class Meta:
        ordering = ["position", "code"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(running_operations=None) | models.Q(running_operations__gte=1),
                name="plan_lets_an_operation_run",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PlanLimit(UUIDModel):
    """One dimension's limits in a plan. No hard limit means unlimited."""

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="limits")
    dimension = models.ForeignKey("plans.Dimension", on_delete=models.PROTECT, related_name="+")
    soft_limit = models.BigIntegerField(null=True, blank=True)
    hard_limit = models.BigIntegerField(null=True, blank=True)
    overage = models.BooleanField(
        default=False, help_text="Whether use above the hard limit is allowed and counted apart."
    )
    label = models.CharField(max_length=100, blank=True, help_text="What it is called for people.")

    class Meta:
        ordering = ["dimension_id"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "dimension"], name="one_limit_per_plan_and_dimension"),
            models.CheckConstraint(
                condition=models.Q(soft_limit=None)
                | models.Q(hard_limit=None)
                | models.Q(soft_limit__lte=models.F("hard_limit")),
                name="soft_limit_not_above_hard_limit",
            ),
            models.CheckConstraint(
                condition=(models.Q(soft_limit=None) | models.Q(soft_limit__gte=0))
                & (models.Q(hard_limit=None) | models.Q(hard_limit__gte=0)),
                name="limits_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan_id} {self.dimension_id}"
