"""Handing events to those who take them up, after the commit, each at least once."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.db import transaction

from apps.common.tenancy import enter_public
from apps.events.models import Event
from apps.events.services.catalogue import RelayedEvent, consumers

log = structlog.get_logger(__name__)

_BATCH = 500
_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=10)


def relay_events(*, now: datetime) -> int:
    """Hand every event that is due to every consumer that hasn't had it; returns how many it looked at.

    Several may relay at once: each takes other rows. A consumer that fails gets the event again later, alone; the
    others, and the events behind it, don't wait.
    """
    looked_at = 0
    with enter_public():
        while looked_at < _BATCH and _relay_next(now):
            looked_at += 1
    return looked_at


def _relay_next(now: datetime) -> bool:
    with transaction.atomic():
        event = Event.objects.to_relay(now).select_for_update(skip_locked=True).first()
        if event is None:
            return False
        had = list(event.handed_to)
        for name in sorted(consumers().keys() - set(had)):
            if _hand(event, name):
                had.append(name)
        if consumers().keys() <= set(had):
            changes = {"handed_to": had, "relayed_at": now}
        else:
            pause = min(_FIRST_PAUSE * 2 ** min(event.relay_failures, 20), _LONGEST_PAUSE)
            changes = {"handed_to": had, "relay_failures": event.relay_failures + 1, "relay_after": now + pause}
        Event.objects.filter(pk=event.pk).update(**changes)
    return True


def _hand(event: Event, name: str) -> bool:
    relayed = RelayedEvent(id=event.pk, type=event.type, at=event.at, workspace_id=event.workspace_id, data=event.data)
    try:
        with transaction.atomic():
            consumers()[name](relayed)
    except Exception:
        # Whatever it is, it is this consumer's; the event stays, and the others get theirs.
        log.exception("event_not_taken", event_id=str(event.pk), type=event.type, consumer=name)
        return False
    return True
