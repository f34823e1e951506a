"""The states of a reservation."""

from django.db.models import TextChoices

from apps.common.states import Transitions


class ReservationStatus(TextChoices):
    HELD = "held", "Held"
    COMMITTED = "committed", "Committed"
    RELEASED = "released", "Released"
    EXPIRED = "expired", "Expired"


_S = ReservationStatus

RESERVATION_TRANSITIONS = Transitions(
    _S,
    {
        _S.HELD: {_S.COMMITTED, _S.RELEASED, _S.EXPIRED},
        _S.COMMITTED: set(),
        _S.RELEASED: set(),
        _S.EXPIRED: set(),
    },
)
