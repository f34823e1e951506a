"""Telling a workspace how its quotas stand, as an event and as a mail: once for each threshold and period."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from django.db import transaction

from apps.billing.models import Quota
from apps.billing.services.mails import mail_keepers
from apps.common.tenancy import enter_public
from apps.events.services import emit_event

#: Percent of the hard limit, or of the soft one where there's no hard one.
THRESHOLDS = (80, 100)


class _Used(Protocol):
    """A quota, or what counting a use told of it."""

    @property
    def used(self) -> int: ...
    @property
    def soft_limit(self) -> int | None: ...
    @property
    def hard_limit(self) -> int | None: ...
    @property
    def alerted(self) -> int: ...


def tell_threshold(state: _Used, *, workspace: Any, dimension: str, now: datetime) -> bool:
    """Tell the highest threshold that is reached, unless this period has heard of it or of a higher one; whether it was
    told. ``state`` may be of a moment ago: the row itself decides."""
    reached = _reached_threshold(state)
    if reached <= state.alerted:
        return False
    with transaction.atomic():
        told: int = Quota.objects.filter(dimension=dimension, alerted__lt=reached).update(alerted=reached)
        if not told:
            return False
        quota = Quota.objects.get(dimension=dimension)
        _emit("quota.threshold_reached", quota, workspace=workspace, now=now, threshold=reached)
        mail_keepers(
            "threshold_reached",
            quota,
            workspace=workspace,
            limit=quota.ceiling,
            now=now,
            threshold=reached,
            refused=quota.room is not None,
        )
    return True


def tell_grace_started(quota: Quota, *, workspace: Any, limit: int | None, now: datetime) -> None:
    """Tell that a limit now below what is used holds from ``grace_until`` on."""
    until = quota.grace_until
    assert until is not None
    _emit("quota.grace_started", quota, workspace=workspace, now=now, limit_then=limit, grace_until=until.isoformat())
    mail_keepers("grace_started", quota, workspace=workspace, limit=limit, now=now, grace_until=until)


def tell_grace_ended(quota: Quota, *, workspace: Any, limit: int | None, over: bool, now: datetime) -> None:
    """Tell that the limit holds from now on; ``over`` says whether more than that is in use."""
    _emit("quota.grace_ended", quota, workspace=workspace, now=now, limit_then=limit, over=over)
    mail_keepers("grace_ended", quota, workspace=workspace, limit=limit, now=now, over=over)


def _emit(kind: str, quota: Quota, *, workspace: Any, now: datetime, **data: Any) -> None:
    known = {
        "dimension": quota.dimension,
        "used": quota.used,
        "soft_limit": quota.soft_limit,
        "hard_limit": quota.hard_limit,
        "resets_at": quota.period_end.isoformat() if quota.period_end else None,
        **data,
    }
    with enter_public():
        emit_event(type=kind, workspace_id=workspace.id, data=known, now=now)


def _reached_threshold(state: _Used) -> int:
    """In percent; 0 for none. A limit of nothing is never reached."""
    ceiling = state.hard_limit if state.hard_limit is not None else state.soft_limit
    if not ceiling:
        return 0
    return max((percent for percent in THRESHOLDS if state.used * 100 >= ceiling * percent), default=0)
