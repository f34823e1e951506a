"""The short way of the commonest request: the first view of a page that anyone may open.

It stands before Django (``config/wsgi.py``) and answers such a GET from what the process keeps: nothing that Django's
middlewares do (sessions, sign-in, messages, CSRF) concerns a page that is the same for everyone. Policy, rate limits,
visit, headers and event are those of the long way, by the same functions; a test compares the two answers. Whatever
isn't plain here goes the long way: another method, a query, credentials, a program, an audience, a host that isn't
ours, an allowance that is spent, an error. The one thing left out is the line in the access log: the visit's event
says the same, and more.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from apps.common.api.addresses import caller_address
from apps.common.errors import AppRunError
from apps.common.ids import new_id
from apps.common.middleware import acceptable_request_id, observe_request
from apps.runtime.errors import TooManyRequests
from apps.runtime.services.admission import Visitor
from apps.runtime.services.counting import COUNTED_UNKNOWN, count_unknown, count_visit
from apps.runtime.services.metering import allows_request, was_refused
from apps.runtime.services.recording import record_visit
from apps.runtime.services.resolution import ResolvedApp, resolver
from apps.runtime.services.showing import documents
from apps.runtime.services.visits import COOKIE_NAME, read_visit, start_visit
from apps.runtime.views import headers

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

_PREFIX = "/runtime/"
_ROUTE = "runtime/<slug:workspace>/<slug:app>"
#: What the route's converters take; nothing else may come near the database.
_ADDRESS = re.compile(r"/runtime/([-a-zA-Z0-9_]+)/([-a-zA-Z0-9_]+)")


class PublicPages:
    """A WSGI application around another (PEP 3333)."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].startswith(_PREFIX):
            answer = _answer(environ)
            if answer is not None:
                start_response("200 OK", answer[0])
                return [answer[1]]
        return self.application(environ, start_response)


def _answer(environ: Environ) -> tuple[list[tuple[str, str]], bytes] | None:
    """Headers and body, or None for the long way."""
    started = time.perf_counter()
    address = _ADDRESS.fullmatch(environ["PATH_INFO"])
    if address is None or not _is_plain(environ):
        return None
    visitor = _visitor(environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", ""))
    try:
        resolved = _resolve(environ, address[1], address[2], visitor)
    except AppRunError:
        return None
    policy, app_id = resolved.app.policy, resolved.place
    if policy.audience != "public" or policy.addresses or resolved.app.status != "published" or resolved.stale:
        return None

    if was_refused(resolved):
        return None
    now = datetime.now(UTC)
    moment = now.timestamp()
    visit = read_visit(_cookie(environ.get("HTTP_COOKIE", "")), app_id=app_id, now=moment)
    if visit is None:
        visit = start_visit(app_id=app_id, policy=policy, person=None, now=moment)
    allowance = count_visit(app_id, policy, visit, visitor)
    if not allowance.allowed or not allows_request(resolved):
        return None

    url = environ["PATH_INFO"]
    document = documents.first_view(resolved, url)
    nonce = headers.new_nonce()
    gzipped = "gzip" in environ.get("HTTP_ACCEPT_ENCODING", "")
    body = (document.gzipped if gzipped else document.plain)(nonce=nonce, csrf=visit.csrf_token)
    content_policy = headers.content_security_policy(
        nonce, frame_ancestors=policy.frame_ancestors, images=resolved.page.image_origins
    )
    given = environ.get("HTTP_X_REQUEST_ID", "")
    answer = [
        ("Content-Type", headers.HTML),
        ("Content-Length", str(len(body))),
        ("Content-Security-Policy", content_policy),
        *headers.page_headers(framed=bool(policy.frame_ancestors)).items(),
        *headers.allowance_headers(allowance),
        ("X-AppRun-Version", str(resolved.app.version)),
        ("X-Request-Id", given if given and acceptable_request_id(given) else new_id().hex),
    ]
    if gzipped:
        answer.append(("Content-Encoding", "gzip"))
    if visit.is_new:
        answer.append(("Set-Cookie", headers.visit_cookie(visit, policy, path=url, secure=_is_secure(environ))))
    if settings.SECURE_HSTS_SECONDS and _is_secure(environ):
        answer.append(("Strict-Transport-Security", headers.strict_transport()))
    record_visit(
        resolved,
        visit,
        kind="view",
        status=200,
        started=started,
        now=now,
        visitor=visitor,
        user_agent=environ.get("HTTP_USER_AGENT", ""),
    )
    observe_request(method="GET", route=_ROUTE, status=200, seconds=time.perf_counter() - started)
    return answer, body


def _resolve(environ: Environ, workspace: str, app: str, visitor: Visitor) -> ResolvedApp:
    """The app, counted like the long way does, and only once for both."""
    if not resolver.knows(workspace, app):
        count = count_unknown(visitor)
        if not count.allowed:
            raise TooManyRequests(retry_after=count.resets_in)
        environ[COUNTED_UNKNOWN] = True
    return resolver.resolve(workspace, app)


def _is_plain(environ: Environ) -> bool:
    """Whether this is a browser's GET of the page itself, at a host of ours, over the right scheme."""
    return (
        not environ.get("QUERY_STRING")
        and "HTTP_AUTHORIZATION" not in environ
        and "HTTP_HX_REQUEST" not in environ
        and "json" not in environ.get("HTTP_ACCEPT", "")
        and _is_our_host(environ.get("HTTP_HOST", ""))
        and (not settings.SECURE_SSL_REDIRECT or _is_secure(environ))
    )


def _is_secure(environ: Environ) -> bool:
    if settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        given = environ.get(name)
        if given is not None:
            return str(given).split(",")[0].strip() == value
    return environ.get("wsgi.url_scheme") == "https"


def _cookie(line: str) -> str | None:
    """The visit's cookie in a Cookie header (RFC 6265, section 4.2.1)."""
    for part in line.split(";"):
        name, _, value = part.partition("=")
        if name.strip() == COOKIE_NAME:
            return value.strip().strip('"')
    return None


@lru_cache(maxsize=1024)
def _is_our_host(host: str) -> bool:
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


class _Environment:
    """The part of a request that tells an address."""

    def __init__(self, **meta: str) -> None:
        self.META = meta


@lru_cache(maxsize=4096)
def _visitor(peer: str, forwarded: str) -> Visitor:
    return Visitor(address=caller_address(_Environment(REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)))
