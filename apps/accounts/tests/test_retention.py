"""What is left of signing in goes when it has run out, not before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from apps.accounts.models import OutgoingMail, RefreshToken
from apps.accounts.services.retention import clear_expired

pytestmark = pytest.mark.django_db

NOW = timezone.now()
TICK = timedelta(microseconds=1)
BESIDE = (-TICK, 0 * TICK, TICK)


def session(key: str, expire_date: Any) -> Session:
    return Session.objects.create(session_key=key, session_data="", expire_date=expire_date)


def test_sessions_and_their_entries_are_kept_up_to_the_border(user: Any) -> None:
    for number, beside in enumerate(BESIDE):
        session(f"key{number}", NOW + beside)
        UserSession.objects.create(user=user, session_key=f"key{number}", ip="127.0.0.1", user_agent="")
    UserSession.objects.create(user=user, session_key="long gone", ip="127.0.0.1", user_agent="")
    cleared = clear_expired(now=NOW)
    assert (cleared["sessions"], cleared["session_entries"]) == (1, 2)
    assert set(Session.objects.values_list("session_key", flat=True)) == {"key1", "key2"}
    assert set(UserSession.objects.values_list("session_key", flat=True)) == {"key1", "key2"}
    assert sum(clear_expired(now=NOW).values()) == 0


def test_a_spent_refresh_token_stays_until_it_expires(user: Any) -> None:
    for number, beside in enumerate(BESIDE):
        RefreshToken.objects.create(
            jti=str(number),
            session_key="key",
            user=user,
            issued_at=NOW - timedelta(days=7),
            expires_at=NOW + beside,
            spent_at=NOW - timedelta(days=6),
        )
    assert clear_expired(now=NOW)["refresh_tokens"] == 1
    assert set(RefreshToken.objects.values_list("jti", flat=True)) == {"1", "2"}


def test_mail_is_kept_up_to_the_border_and_longer_while_it_is_on_its_way() -> None:
    border = NOW - settings.MAIL_RETENTION
    OutgoingMail.objects.all().delete()
    sent = [OutgoingMail.objects.create(kind="k", to="a@example.com", created_at=border + beside) for beside in BESIDE]
    waiting = OutgoingMail.objects.create(
        kind="k", to="a@example.com", created_at=border - timedelta(days=1), next_attempt_at=NOW
    )
    assert clear_expired(now=NOW)["messages"] == 1
    assert set(OutgoingMail.objects.all()) == {*sent[1:], waiting}


def test_a_backlog_goes_in_batches(settings: Any) -> None:
    settings.RETENTION_BATCH, settings.RETENTION_RUN = 2, timedelta(0)
    for number in range(5):
        session(str(number), NOW - timedelta(days=1))
    assert [clear_expired(now=NOW)["sessions"] for _ in range(4)] == [2, 2, 1, 0]
