"""Reading what visitors did, in the entered workspace."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from apps.runtime.models import RuntimeEvent, Session


def list_events(app_id: UUID) -> Any:
    """The events of an app, newest first."""
    return RuntimeEvent.objects.of_app(app_id)


def list_sessions(app_id: UUID) -> Any:
    """The visits of an app, newest first."""
    return Session.objects.of_app(app_id)
