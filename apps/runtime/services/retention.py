"""Forgetting what visitors did long ago, inside the entered workspace."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from apps.common.retention import delete_some
from apps.runtime.models import RuntimeEvent, Session


def forget_old_events(*, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` events older than ``RUNTIME_EVENT_RETENTION``; returns how many."""
    return delete_some(RuntimeEvent.objects.before(now - settings.RUNTIME_EVENT_RETENTION), limit)


def forget_old_sessions(*, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` visits that ended before ``RUNTIME_SESSION_RETENTION``; returns how many."""
    return delete_some(Session.objects.expired_before(now - settings.RUNTIME_SESSION_RETENTION), limit)
