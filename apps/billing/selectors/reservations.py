"""What is set aside."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from apps.billing.errors import ReservationNotFound
from apps.billing.models import Reservation


def list_reservations() -> QuerySet[Reservation]:
    """Every reservation of the entered workspace, newest first."""
    rows: QuerySet[Reservation] = Reservation.objects.defer("answer").order_by("-created_at", "-id")
    return rows


def find_reservation(reservation_id: UUID) -> Reservation:
    """The reservation. Raises ReservationNotFound."""
    found = list_reservations().filter(pk=reservation_id).first()
    if found is None:
        raise ReservationNotFound
    return found
