"""What is set aside before it is used."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from apps.billing.querysets import LeaseQuerySet, ReservationQuerySet
from apps.billing.states import RESERVATION_TRANSITIONS, ReservationStatus
from apps.common.models import TenantModel
from apps.common.querysets import TenantManager
from apps.common.states import StatefulModel


class Reservation(StatefulModel, TenantModel):
    """An amount that is held for somebody until they commit what they really used, release it, or it expires.

    Without ``expires_at`` it is held until its holder ends it: an operation of the platform's, which always does.
    """

    transitions = RESERVATION_TRANSITIONS

    dimension = models.CharField(max_length=60)
    amount = models.BigIntegerField()
    status = models.CharField(max_length=10, choices=ReservationStatus, default=ReservationStatus.HELD)
    app_id = models.UUIDField(null=True)
    source = models.CharField(max_length=30)
    note = models.CharField(max_length=300, blank=True)
    actor = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    committed_amount = models.BigIntegerField(null=True)
    idempotency_key = models.CharField(max_length=200, unique=True)
    fingerprint = models.CharField(max_length=64)
    answer = models.JSONField()

    objects: Any = TenantManager.of(ReservationQuerySet)

    class Meta(TenantModel.Meta):
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="reservation_is_of_something"),
            models.CheckConstraint(
                condition=Q(status=ReservationStatus.COMMITTED, committed_amount__gte=0)
                | (~Q(status=ReservationStatus.COMMITTED) & Q(committed_amount=None)),
                name="committed_reservation_has_its_amount",
            ),
        ]
        indexes = [
            models.Index(
                fields=["dimension", "expires_at"],
                condition=Q(status=ReservationStatus.HELD),
                name="reservation_held",
            )
        ]

    def __str__(self) -> str:
        return f"{self.dimension} {self.amount}"


class Lease(TenantModel):
    """Units that one process may spend without asking for each: part of the quota's ``reserved`` until they are spent
    (then they are ``used``), returned, or its holder has been silent until ``expires_at``.
    """

    dimension = models.CharField(max_length=60)
    holder = models.CharField(max_length=100, help_text="The process: its host, its number and a random mark.")
    units = models.BigIntegerField()
    expires_at = models.DateTimeField()

    objects: Any = TenantManager.of(LeaseQuerySet)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["dimension", "holder"], name="one_lease_per_holder_and_dimension"),
            models.CheckConstraint(condition=Q(units__gte=0), name="lease_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.dimension} {self.holder}"
