"""Events that everybody has had are kept for a while, the others until they are taken."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from apps.events.models import Event
from apps.events.services.retention import forget_relayed_events

pytestmark = pytest.mark.django_db

NOW = timezone.now()
BORDER = NOW - settings.EVENT_RETENTION
TICK = timedelta(microseconds=1)


def event(relayed_at, *, at=BORDER - timedelta(days=300)) -> Event:
    return Event.objects.create(type="test.event", at=at, relay_after=at, relayed_at=relayed_at)


def test_relayed_events_are_kept_up_to_the_border() -> None:
    _old, at, new = (event(BORDER + beside) for beside in (-TICK, 0 * TICK, TICK))
    assert forget_relayed_events(now=NOW) == 1
    assert set(Event.objects.filter(type="test.event")) == {at, new}
    assert forget_relayed_events(now=NOW) == 0


def test_an_event_that_somebody_still_has_to_take_stays_however_old_it_is() -> None:
    waiting = event(None)
    assert forget_relayed_events(now=NOW) == 0
    assert Event.objects.filter(pk=waiting.pk).exists()
