"""Sessions: where a person is signed in. The session's row is the truth; caches and tokens only point at it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction

from apps.accounts.models import RefreshToken, User
from apps.audit.services import Target, record_act
from apps.common.actors import Actor
from apps.common.errors import NotFound
from apps.common.sessions import SessionStore


def end_session(*, user: User, session_id: str, actor: Actor, now: datetime) -> None:
    """Sign one of a person's sessions out; its tokens die with it. Raises NotFound for anything but their own."""
    found = UserSession.objects.filter(user_id=user.pk, pk=session_id).first() if session_id.isdigit() else None
    if found is None:
        raise NotFound
    with transaction.atomic():
        end_family(session_keys=[found.session_key])
        record_act(
            actor=actor,
            action="auth.session_ended",
            target=Target("session", str(found.pk), found.user_agent[:100]),
            now=now,
        )


def end_sessions(*, user: User, except_key: str | None = None) -> int:
    """Sign a person out everywhere, or everywhere but in one session; returns in how many places."""
    keys = list(
        UserSession.objects.filter(user_id=user.pk)
        .exclude(session_key=except_key)
        .values_list("session_key", flat=True)
    )
    # Sessions from before their person's list was kept have tokens at least.
    tokens = RefreshToken.objects.filter(user_id=user.pk).exclude(session_key=except_key)
    keys += [key for key in tokens.values_list("session_key", flat=True).distinct() if key not in keys]
    end_family(session_keys=keys)
    return len(keys)


def end_family(*, session_keys: Sequence[str]) -> None:
    """Delete sessions and whatever was issued for them."""
    with transaction.atomic():
        # The session first: refreshing locks in the same order.
        Session.objects.filter(session_key__in=session_keys).delete()
        RefreshToken.objects.filter(session_key__in=session_keys).delete()
        UserSession.objects.filter(session_key__in=session_keys).delete()
        _forget_cached(session_keys)
        # And after the commit: a reader in between could have put the old row into the cache again.
        transaction.on_commit(partial(_forget_cached, session_keys))


def keep_session(*, session_key: str, user: User) -> None:
    """Let this one session survive the change of its person's password."""
    session = SessionStore(session_key)
    if session.get(HASH_SESSION_KEY):
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()


def register_session(*, request: Any, user: User) -> None:
    """Enter the request's session in the person's list; of more than ``SESSIONS_PER_PERSON`` the oldest end."""
    UserSession.objects.create_from_request(request)
    mine = UserSession.objects.filter(user_id=user.pk).order_by("-last_seen_at", "-pk")
    too_many = mine.values_list("session_key", flat=True)[settings.SESSIONS_PER_PERSON :]
    end_family(session_keys=[key for key in too_many if key != request.session.session_key])


def _forget_cached(session_keys: Sequence[str]) -> None:
    for key in session_keys:
        SessionStore().delete(key)
