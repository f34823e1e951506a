"""How API requests of people say who calls."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.authentication import (
    SessionAuthentication as StockSessionAuthentication,
)

from apps.accounts.errors import TokenRefused
from apps.accounts.models import User
from apps.accounts.services.presence import note_presence
from apps.accounts.services.tokens import TokenCaller, find_caller


class SessionAuthentication(StockSessionAuthentication):
    """The browser session, with CSRF checked; used by the documentation and the consoles."""

    def authenticate(self, request: Any) -> tuple[Any, None] | None:
        found = super().authenticate(request)
        if found is not None:
            note_presence(user_id=found[0].pk, session_id=None, now=timezone.now())
        return found


class AccessTokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer <JWT>`` (RFC 6750): one query, which sees ended sessions and deactivated people."""

    def authenticate(self, request: Any) -> tuple[User, TokenCaller] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        now = timezone.now()
        caller = find_caller(access=token.strip(), now=now)
        if caller is None:
            raise TokenRefused
        note_presence(user_id=caller.user.pk, session_id=caller.session_id, now=now)
        return caller.user, caller

    def authenticate_header(self, request: Any) -> str:
        return "Bearer"
