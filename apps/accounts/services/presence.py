"""When a person was last here, written at most once a minute: reading must not become writing."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.core.cache import caches
from django.db import DatabaseError

from apps.accounts.models import LastSeen

log = structlog.get_logger(__name__)

#: What this process wrote lately, so that most requests ask nobody. Bounded: emptied when it is full.
_written: dict[tuple[UUID, int | None], datetime] = {}
_ROOM = 10_000


def note_presence(*, user_id: UUID, session_id: int | None, now: datetime) -> None:
    """Remember that a person, in this session, is here now. Never fails: it is not worth a request."""
    subject = (user_id, session_id)
    last = _written.get(subject)
    if last is not None and timedelta() <= now - last < settings.LAST_SEEN_INTERVAL:
        return
    if len(_written) >= _ROOM:
        _written.clear()
    _written[subject] = now
    if not _is_first_of_all_processes(subject):
        return
    try:
        LastSeen.objects.bulk_create(
            [LastSeen(user_id=user_id, at=now)], update_conflicts=True, unique_fields=["user"], update_fields=["at"]
        )
        if session_id is not None:
            UserSession.objects.filter(pk=session_id).update(last_seen_at=now)
    except DatabaseError as error:
        log.warning("presence_not_written", error=str(error))


def _is_first_of_all_processes(subject: tuple[UUID, int | None]) -> bool:
    seconds = settings.LAST_SEEN_INTERVAL.total_seconds()
    return bool(caches["global"].add(f"seen:{subject[0]}:{subject[1]}", 1, timeout=int(seconds)))


def forget() -> None:
    """Forget what this process wrote lately."""
    _written.clear()
