"""Who visits: the cookie that knows a visitor again, and the marks it bears.

The cookie of an app is opaque to its bearer: a session's id, when it ends, whom it was made for, and what it has been
granted (a password or a link, as it was then), all signed. It is checked without any look-up, so that it works while
PostgreSQL is away. A changed password or link, a policy with another audience, or another person signing in ends what
was granted at once.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from django.conf import settings

from apps.applications.selectors import VisitPolicy
from apps.common.ids import new_id

COOKIE_NAME = "apprun_visit"

_MAC_BYTES = 20
_LENGTH = 16 + 4 + 8 + 8
_NO_MARK = bytes(8)


@dataclass(frozen=True, slots=True)
class Visit:
    """A visitor's session at one app. ``is_new`` until its cookie has come back once."""

    id: UUID
    app_id: UUID
    expires_at: int
    person: bytes = _NO_MARK
    grant: bytes = _NO_MARK
    is_new: bool = False

    @property
    def csrf_token(self) -> str:
        """The token that forms of this visit bear: a cookie alone can't make it, another visit's doesn't fit."""
        return _mac(b"csrf", self.app_id.bytes + self.id.bytes).hex()[:40]

    def cookie_value(self) -> str:
        """What the browser keeps."""
        payload = self.id.bytes + self.expires_at.to_bytes(4, "big") + self.person + self.grant
        return urlsafe_b64encode(payload + _mac(b"visit", self.app_id.bytes + payload)).decode().rstrip("=")


def start_visit(*, app_id: UUID, policy: VisitPolicy, person: UUID | None, now: float) -> Visit:
    """A new visit, with nothing granted; ``now`` is in seconds since the epoch."""
    return Visit(
        id=new_id(),
        app_id=app_id,
        expires_at=int(now) + policy.session_seconds,
        person=person_mark(person),
        is_new=True,
    )


def read_visit(cookie: str | None, *, app_id: UUID, now: float) -> Visit | None:
    """The visit of a cookie; None when it is missing, forged, of another app, or over."""
    if not cookie or len(cookie) > 120:
        return None
    try:
        raw = urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
    except ValueError:
        return None
    payload, mac = raw[:_LENGTH], raw[_LENGTH:]
    if len(mac) != _MAC_BYTES or not hmac.compare_digest(mac, _mac(b"visit", app_id.bytes + payload)):
        return None
    expires_at = int.from_bytes(payload[16:20], "big")
    if expires_at <= now:
        return None
    return Visit(UUID(bytes=payload[:16]), app_id, expires_at, person=payload[20:28], grant=payload[28:36])


def grant_mark(policy: VisitPolicy) -> bytes:
    """What a visit bears after the right password or link: bound to that very password or link."""
    if policy.audience == "password":
        return _mac(b"password", policy.password_hash.encode())[:8]
    if policy.audience == "link":
        return _mac(b"link", policy.link_token.encode())[:8]
    return _NO_MARK


def person_mark(user_id: UUID | None) -> bytes:
    """Whom a visit belongs to."""
    return _NO_MARK if user_id is None else _mac(b"person", user_id.bytes)[:8]


def matches_link(policy: VisitPolicy, token: str) -> bool:
    """Whether a token is the app's link, compared in constant time."""
    return bool(policy.link_token) and hmac.compare_digest(policy.link_token.encode(), token.encode())


def caller_visit_id(*, app_id: UUID, caller: str) -> UUID:
    """The session of a program that is known by its key or token and keeps no cookies: the same at each call."""
    raw = bytearray(_mac(b"caller", app_id.bytes + caller.encode())[:16])
    raw[6] = raw[6] & 0x0F | 0x80  # version 8, "custom" (RFC 9562, section 5.8), and the variant
    raw[8] = raw[8] & 0x3F | 0x80
    return UUID(bytes=bytes(raw))


@lru_cache(maxsize=16)
def _key(purpose: bytes, secret: str) -> bytes:
    return hashlib.sha256(b"apprun.runtime." + purpose + b":" + secret.encode()).digest()


def _mac(purpose: bytes, message: bytes) -> bytes:
    """Keyed BLAKE2b (RFC 7693, section 2.9): a MAC by design, at a tenth of HMAC's time here."""
    return hashlib.blake2b(message, key=_key(purpose, settings.SECRET_KEY), digest_size=_MAC_BYTES).digest()


def same(given: str, expected: str) -> bool:
    """Whether two tokens are the same, compared in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())
