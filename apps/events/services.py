"""Writing events into the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.events.models import Event

_catalogue: dict[str, str] = {}


def declare_event(type_: str, description: str) -> None:
    """Add a type to the catalogue. Raises ValueError for a second declaration."""
    if type_ in _catalogue:
        raise ValueError(f"The event type {type_} is declared twice")
    _catalogue[type_] = description


def event_catalogue() -> dict[str, str]:
    """Every type of event, with what it means."""
    return dict(sorted(_catalogue.items()))


def emit_event(*, type: str, workspace_id: UUID | None, data: Mapping[str, Any], now: datetime) -> Event:
    """Write an event in the present transaction; the relay takes it up after the commit.

    Raises ValueError for a type that nobody declared.
    """
    if type not in _catalogue:
        raise ValueError(f"Nobody declared the event type {type}")
    return Event.objects.create(type=type, at=now, workspace_id=workspace_id, data=dict(data))
