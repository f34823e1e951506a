"""Writing events into the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.common.queue import enqueue
from apps.common.tenancy import enter_public
from apps.events.models import Event
from apps.events.services.catalogue import consumers, is_declared


def emit_event(
    *,
    type: str,  # noqa: A002 - the name it has in the API
    workspace_id: UUID | None,
    data: Mapping[str, Any],
    now: datetime,
) -> Event:
    """Write an event in the present transaction; the relay takes it up after the commit.

    Raises ValueError for a type that nobody declared.
    """
    if not is_declared(type):
        raise ValueError(f"Nobody declared the event type {type}")
    event: Event = Event.objects.create(type=type, at=now, workspace_id=workspace_id, data=dict(data), relay_after=now)
    if consumers():
        with enter_public():
            enqueue("events.relay")
    return event
