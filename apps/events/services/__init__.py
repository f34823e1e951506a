"""Writing events, declaring their types, taking them up."""

from apps.events.services.catalogue import RelayedEvent, declare_event, event_catalogue, register_consumer
from apps.events.services.outbox import emit_event
from apps.events.services.retention import forget_events_of

__all__ = ["RelayedEvent", "declare_event", "emit_event", "event_catalogue", "forget_events_of", "register_consumer"]
