"""The types of events, and who takes them up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class RelayedEvent:
    """An event as a consumer gets it."""

    id: UUID
    type: str
    at: datetime
    workspace_id: UUID | None
    data: Mapping[str, Any]


#: Takes an event up by writing rows and enqueueing; it calls nobody. Its writes and the record that it was done are one
#: transaction. Another worker may have been there before: it must bear the same event twice.
Consumer = Callable[[RelayedEvent], None]

_catalogue: dict[str, str] = {}
_consumers: dict[str, Consumer] = {}


def declare_event(type_: str, description: str) -> None:
    """Add a type to the catalogue. Raises ValueError for a second declaration."""
    if type_ in _catalogue:
        raise ValueError(f"The event type {type_} is declared twice")
    _catalogue[type_] = description


def event_catalogue() -> dict[str, str]:
    """Every type of event, with what it means."""
    return dict(sorted(_catalogue.items()))


def is_declared(type_: str) -> bool:
    return type_ in _catalogue


def register_consumer(name: str, consume: Consumer) -> None:
    """Have every event handed to ``consume``, when the apps are ready. ``name`` is kept with the events it has had.

    Raises ValueError for a second one of that name.
    """
    if name in _consumers:
        raise ValueError(f"The consumer {name} is registered twice")
    _consumers[name] = consume


def consumers() -> dict[str, Consumer]:
    """Every consumer by name."""
    return dict(_consumers)
