"""What every answer of the runtime tells a browser or a program, besides its body."""

from __future__ import annotations

import itertools
import secrets
from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2b

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.applications.selectors import VisitPolicy
from apps.runtime.services.limits import Allowance
from apps.runtime.services.resolution import ResolvedApp
from apps.runtime.services.showing import http_date
from apps.runtime.services.visits import COOKIE_NAME, Visit

HTML = "text/html; charset=utf-8"

_NONCE_KEY = secrets.token_bytes(32)
_NONCE_COUNT = itertools.count(secrets.randbits(62))


def new_nonce() -> str:
    """A word that can't be guessed and comes once, for one answer's Content-Security-Policy: a keyed hash of a count,
    which asks the operating system for randomness once in a process's life.
    """
    count = next(_NONCE_COUNT).to_bytes(16, "big")
    return urlsafe_b64encode(blake2b(count, key=_NONCE_KEY, digest_size=18).digest()).decode()


def content_security_policy(nonce: str, *, frame_ancestors: tuple[str, ...], images: tuple[str, ...] = ()) -> str:
    """The policy of a page (CSP level 3): nothing but our own files and this answer's own script and style."""
    return _policy_with_gaps(frame_ancestors, images).replace("{}", nonce)


@lru_cache(maxsize=1024)
def _policy_with_gaps(frame_ancestors: tuple[str, ...], images: tuple[str, ...]) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self' 'nonce-{}'",
            "style-src 'self' 'nonce-{}'",
            " ".join(("img-src 'self'", *images)),
            "connect-src 'self'",
            "font-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors " + (" ".join(frame_ancestors) or "'none'"),
        )
    )


_PAGE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Vary": "Accept, Accept-Encoding, Cookie, HX-Request",
}
_UNFRAMED_HEADERS = {**_PAGE_HEADERS, "X-Frame-Options": "DENY"}


def page_headers(*, framed: bool) -> dict[str, str]:
    """The headers of a page that are the same in each answer; ``framed``: the policy names sites that may frame it."""
    return _PAGE_HEADERS if framed else _UNFRAMED_HEADERS


def mark_app(response: HttpResponse, resolved: ResolvedApp) -> None:
    """What is to be known of the app: its version, that it is deprecated (RFC 9745, RFC 8594), that it is stale."""
    app = resolved.app
    response.headers["X-AppRun-Version"] = str(app.version)
    if app.status == "deprecated":
        if app.deprecated_at is not None:
            response.headers["Deprecation"] = f"@{int(app.deprecated_at.timestamp())}"
        if app.sunset_at is not None:
            response.headers["Sunset"] = http_date(app.sunset_at)
    if resolved.stale:
        response.headers["X-AppRun-Stale"] = "1"
        response.headers["Warning"] = '110 - "Response is Stale"'


def allowance_headers(allowance: Allowance) -> tuple[tuple[str, str], ...]:
    """How many requests are left (draft-ietf-httpapi-ratelimit-headers)."""
    return (
        ("RateLimit-Policy", f'"visitor";q={allowance.limit};w=60'),
        ("RateLimit", f'"visitor";r={allowance.remaining};t={allowance.resets_in}'),
    )


def strict_transport() -> str:
    """The value of Strict-Transport-Security (RFC 6797), by the settings that Django's own middleware follows."""
    value = f"max-age={settings.SECURE_HSTS_SECONDS}"
    value += "; includeSubDomains" if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS else ""
    return value + ("; preload" if settings.SECURE_HSTS_PRELOAD else "")


def visit_cookie(visit: Visit, policy: VisitPolicy, *, path: str, secure: bool) -> str:
    """The Set-Cookie line of a visit (RFC 6265). Inside another site's frame (the policy names it, over https) a Lax
    cookie would not come back: there it is None, and forms are still guarded by their token.
    """
    same_site = "None" if secure and policy.frame_ancestors else "Lax"
    line = f"{COOKIE_NAME}={visit.cookie_value()}; HttpOnly; Max-Age={policy.session_seconds}; Path={path}"
    return f"{line}; SameSite={same_site}; Secure" if secure else f"{line}; SameSite={same_site}"


def set_visit_cookie(
    response: HttpResponse, request: HttpRequest, visit: Visit, policy: VisitPolicy, *, path: str
) -> None:
    """Put the visit's cookie on an answer."""
    response.cookies.load(visit_cookie(visit, policy, path=path, secure=request.is_secure()))
