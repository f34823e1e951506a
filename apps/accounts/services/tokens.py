"""Access and refresh tokens (JWT, RFC 7519), bound to a session that can be ended at any moment.

allauth's own detection of a refresh token that is used twice looks into the session without a lock, so simultaneous
uses all pass. Here each refresh token is a row: issued, then spent once under a lock. A spent one that comes back means
that somebody else holds a copy; it ends the session, which is the token's family.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.account.internal.userkit import user_id_to_str
from allauth.headless.tokens.strategies.jwt import JWTTokenStrategy, internal
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth import SESSION_KEY as USER_ID_KEY
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from apps.accounts.errors import TokenRefused
from apps.accounts.models import RefreshToken, User
from apps.accounts.services.sessions import end_family
from apps.audit.services import Target, record_act
from apps.common.actors import SYSTEM, Actor
from apps.common.sessions import SessionStore


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a client gets; ``expires_in`` is the access token's, in seconds."""

    access: str
    refresh: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class TokenCaller:
    """Whom an access token speaks for, and the session that it belongs to."""

    user: User
    session_id: int
    session_key: str


def issue_tokens(*, user: User, session_key: str, now: datetime) -> TokenPair:
    """A new access token and a new refresh token of the session's family."""
    subject = user_id_to_str(user)
    access, _ = _create("access", subject, session_key, settings.ACCESS_TOKEN_LIFETIME.total_seconds())
    refresh, payload = _create("refresh", subject, session_key, settings.REFRESH_TOKEN_LIFETIME.total_seconds())
    RefreshToken.objects.create(
        jti=payload["jti"],
        session_key=session_key,
        user=user,
        issued_at=now,
        expires_at=now + settings.REFRESH_TOKEN_LIFETIME,
    )
    return TokenPair(access, refresh, int(settings.ACCESS_TOKEN_LIFETIME.total_seconds()))


def rotate_tokens(*, refresh: str, now: datetime, actor: Actor = SYSTEM) -> TokenPair:
    """Spend a refresh token for a new pair; the session lives on for as long as the new token does.

    Raises TokenRefused. A token that was spent before also ends its session: nobody refreshes there any more.
    """
    payload = internal.decode_token(refresh, "refresh")
    session_key = payload and internal.session_key_from_sid(payload["sid"])
    if payload is None or not session_key:
        raise TokenRefused
    with transaction.atomic():
        pair = _spend(jti=payload["jti"], subject=payload["sub"], session_key=session_key, now=now, actor=actor)
    if pair is None:
        raise TokenRefused
    return pair


def _spend(*, jti: str, subject: str, session_key: str, now: datetime, actor: Actor) -> TokenPair | None:
    # The session's row first, always: ending a family locks in the same order.
    session = Session.objects.select_for_update().filter(session_key=session_key).first()
    token = RefreshToken.objects.select_for_update().filter(jti=jti, session_key=session_key).first()
    if session is None or token is None:
        return None
    if token.spent_at is not None:
        end_family(session_keys=[session_key])
        record_act(
            actor=actor, action="auth.refresh_token_reused", target=Target("user", subject, token.user.email), now=now
        )
        return None
    caller = _live_caller(subject, session_key, now)
    if caller is None or token.expires_at <= now:
        return None
    token.spent_at = now
    token.save(update_fields=["spent_at"])
    session.expire_date = now + settings.REFRESH_TOKEN_LIFETIME
    session.save(update_fields=["expire_date"])
    return issue_tokens(user=caller.user, session_key=session_key, now=now)


@dataclass(frozen=True, slots=True)
class Family:
    """A session, and whose it is."""

    session_key: str
    user: User


def find_family(*, caller: TokenCaller | None, session_key: str | None, refresh: str) -> Family | None:
    """The session that a request speaks of: its access token's, its cookie's, or that of a refresh token.

    A refresh token that was spent still names its session, so that signing out always works; one that is not ours, or
    whose session has ended, names none.
    """
    if caller is not None:
        return Family(caller.session_key, caller.user)
    if refresh:
        payload = internal.decode_token(refresh, "refresh")
        token = RefreshToken.objects.filter(jti=payload["jti"]).select_related("user").first() if payload else None
        return Family(token.session_key, token.user) if token else None
    entry = UserSession.objects.filter(session_key=session_key).select_related("user").first() if session_key else None
    return Family(entry.session_key, entry.user) if entry else None


def find_caller(*, access: str, now: datetime) -> TokenCaller | None:
    """Whom an access token speaks for; None when it, its session, its person or their password is not valid any more.

    One query, at the database: a session that was ended and a person who was deactivated count on the next request.
    """
    payload = internal.decode_token(access, "access")
    session_key = payload and internal.session_key_from_sid(payload["sid"])
    if payload is None or not session_key:
        return None
    return _live_caller(payload["sub"], session_key, now)


def _live_caller(subject: str, session_key: str, now: datetime) -> TokenCaller | None:
    stored = Session.objects.filter(session_key=OuterRef("session_key"), expire_date__gt=now)
    try:
        entry: Any = (
            UserSession.objects.filter(session_key=session_key, user_id=subject, user__is_active=True)
            .select_related("user")
            .annotate(stored=Subquery(stored.values("session_data")[:1]))
            .first()
        )
    except ValidationError:  # the subject is no id
        return None
    if entry is None or entry.stored is None:
        return None
    session = SessionStore().decode(entry.stored)
    if session.get(USER_ID_KEY) != str(entry.user.pk) or not _password_unchanged(entry.user, session):
        return None
    return TokenCaller(entry.user, entry.pk, session_key)


def _password_unchanged(user: User, session: dict[str, Any]) -> bool:
    """Django's promise for cookie sessions, for tokens too: a new password ends the sessions of the old one."""
    known = session.get(HASH_SESSION_KEY) or ""
    candidates = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(known, candidate) for candidate in candidates)


def _create(use: str, subject: str, session_key: str, seconds: float) -> tuple[str, dict[str, Any]]:
    created: tuple[str, dict[str, Any]] = internal.create_token(
        use, sub=subject, sid=internal.session_key_to_sid(session_key), expires_in=int(seconds)
    )
    return created


class SessionTokens(JWTTokenStrategy):
    """What allauth's headless API issues and accepts: the same tokens, the same rows."""

    def create_access_token_payload(self, request: Any) -> dict[str, Any] | None:
        pair = issue_tokens(user=request.user, session_key=self.create_session_token(request), now=timezone.now())
        return {"access_token": pair.access, "refresh_token": pair.refresh, "expires_in": pair.expires_in}

    def refresh_token(self, refresh_token: str) -> tuple[str, str] | None:
        try:
            pair = rotate_tokens(refresh=refresh_token, now=timezone.now())
        except TokenRefused:
            return None
        return pair.access, pair.refresh

    def _get_access_token(self, request: Any) -> dict[str, Any] | None:
        """Checked as strictly as on the rest of the API."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or find_caller(access=token, now=timezone.now()) is None:
            return None
        payload: dict[str, Any] | None = internal.decode_token(token, "access")
        return payload
