"""Forgetting events that everybody has had."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings

from apps.common.retention import delete_some, forget_in_batches
from apps.common.tenancy import enter_public
from apps.events.models import Event


def forget_relayed_events(*, now: datetime) -> int:
    """Delete the events whose relay ended before ``EVENT_RETENTION``; returns how many.

    One that a consumer hasn't taken yet stays, however old it is.
    """
    with enter_public():
        old = Event.objects.relayed_before(now - settings.EVENT_RETENTION).order_by("pk")
        return forget_in_batches("events.relayed", lambda limit: delete_some(old, limit)).count


def forget_events_of(workspace_id: UUID) -> int:
    """Delete the events of a workspace that is purged, before their time; returns how many. Those that a consumer
    hasn't taken yet, the end among them, go when everybody has had them."""
    with enter_public():
        return int(Event.objects.filter(workspace_id=workspace_id, relayed_at__isnull=False).delete()[0])
