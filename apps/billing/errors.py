"""What can be wrong with using, reserving and correcting."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from apps.common.amounts import describe_amount
from apps.common.errors import Conflict, Denied, Gone, KeyReused, NotFound, QuotaExceeded


class UsageKeyReused(KeyReused):
    """The same key came back with another amount, dimension or app."""

    detail = "This key was used for something else in this workspace. Use a new key for a new use."


class ReservationNotFound(NotFound):
    code = "reservation_not_found"
    detail = "There is no such reservation in this workspace."


class ReservationEnded(Conflict):
    """It was committed with another amount, or released."""

    code = "reservation_ended"


class ReservationExpired(Gone):
    """Nobody committed it in time; what was set aside has been given back."""

    code = "reservation_expired"
    detail = "This reservation expired, and what it held was given back. Consume the actual amount instead."


class NoOverride(NotFound):
    code = "no_override"
    detail = "This limit is the plan's own; there is no override to end."


class UsageEventNotFound(NotFound):
    code = "usage_event_not_found"
    detail = "There is no such use in this workspace's ledger."


class NotCorrectable(Conflict):
    """This event can't be corrected, or not by so much."""

    code = "not_correctable"


class MeteredByPlatform(Denied):
    """What the platform metered itself isn't the workspace's to correct."""

    code = "metered_by_platform"
    detail = "The platform metered this itself; only an operator can correct it."


class ReservationOfPlatform(Conflict):
    """It is held for work of the platform's, which ends it itself."""

    code = "reservation_of_platform"
    detail = "The platform holds this for work of its own, and ends it itself."


class _Spent(Protocol):
    @property
    def dimension(self) -> str: ...
    @property
    def hard_limit(self) -> int | None: ...
    @property
    def used(self) -> int: ...
    @property
    def reserved(self) -> int: ...
    @property
    def period_end(self) -> datetime | None: ...


def quota_exceeded(quota: _Spent, *, name: str, unit: str, asked: int) -> QuotaExceeded:
    """The refusal of ``asked`` more: says the dimension, the limit, what is used and when it starts anew."""
    resets_at = quota.period_end
    advice = (
        f"It starts anew at {resets_at:%Y-%m-%d %H:%M} UTC; a larger plan has more."
        if resets_at
        else "Delete what isn't needed, or choose a larger plan."
    )
    beside = f", {describe_amount(quota.reserved, unit)} are set aside" if quota.reserved else ""
    extra: dict[str, Any] = {
        "dimension": quota.dimension,
        "limit": quota.hard_limit,
        "used": quota.used,
        "reserved": quota.reserved,
        "resets_at": resets_at.isoformat().replace("+00:00", "Z") if resets_at else None,
    }
    used, limit = describe_amount(quota.used, unit), describe_amount(quota.hard_limit or 0, unit)
    return QuotaExceeded(
        f"{name}: {used} of {limit} are used{beside}; no room for {describe_amount(asked, unit)} more. {advice}",
        **extra,
    )
