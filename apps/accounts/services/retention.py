"""What has run out and is taken away."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, QuerySet

from apps.accounts.models import OutgoingMail, RefreshToken
from apps.common.retention import delete_some, forget_in_batches


def clear_expired(*, now: datetime) -> dict[str, int]:
    """Delete expired sessions and tokens, entries of sessions that are gone, old messages; how many of each.

    A spent refresh token stays until it expires: only so is its second use recognised.
    """
    gone = ~Exists(Session.objects.filter(session_key=OuterRef("session_key")))
    stale = {
        "sessions": Session.objects.filter(expire_date__lt=now).order_by("expire_date"),
        "session_entries": UserSession.objects.filter(gone),
        "refresh_tokens": RefreshToken.objects.filter(expires_at__lt=now).order_by("expires_at"),
        "messages": OutgoingMail.objects.filter(
            next_attempt_at=None, created_at__lt=now - settings.MAIL_RETENTION
        ).order_by("pk"),
    }
    return {name: _forget(f"accounts.{name}", rows) for name, rows in stale.items()}


def _forget(job: str, rows: QuerySet[Any]) -> int:
    return forget_in_batches(job, lambda limit: delete_some(rows, limit)).count
