"""What has run out and is taken away."""

from __future__ import annotations

from datetime import datetime

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef

from apps.accounts.models import OutgoingMail, RefreshToken


def clear_expired(*, now: datetime) -> dict[str, int]:
    """Delete expired sessions and tokens, entries of sessions that are gone, old messages; how many of each."""
    gone = ~Exists(Session.objects.filter(session_key=OuterRef("session_key")))
    stale = {
        "sessions": Session.objects.filter(expire_date__lt=now),
        "session_entries": UserSession.objects.filter(gone),
        "refresh_tokens": RefreshToken.objects.filter(expires_at__lt=now),
        "messages": OutgoingMail.objects.filter(next_attempt_at=None, created_at__lt=now - settings.MAIL_RETENTION),
    }
    return {name: rows.delete()[0] for name, rows in stale.items()}
