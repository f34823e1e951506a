"""The answers of the runtime: pages for people, JSON for programs, each problem in the asker's own form."""

from __future__ import annotations

import gzip
import json
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.http import HttpResponse
from django.template.loader import render_to_string

from apps.common.api.problems import problem as describe_problem
from apps.common.errors import AppRunError
from apps.runtime.errors import AppOverAllowance, NoSuchApp, PasswordRequired, SignInRequired, WrongPassword
from apps.runtime.pages.compiled import PageState
from apps.runtime.pages.theme import build_theme
from apps.runtime.services.showing import describe_app, documents, show_document, show_region
from apps.runtime.views import headers
from apps.runtime.views.exchange import Exchange
from apps.runtime.views.headers import HTML

_SMALLEST_GZIP = 860

_TITLES = {
    400: "That can't be read",
    401: "Sign in first",
    402: "This app is taking a break",
    403: "Not open to you",
    404: "There is nothing here",
    405: "That can't be done here",
    409: "That doesn't fit any more",
    410: "This app has been put away",
    413: "That is too much",
    422: "Something needs your attention",
    429: "One moment, please",
    503: "Back in a moment",
}


def answer_json(body: Any, *, status: int = 200, content_type: str = "application/json") -> HttpResponse:
    """A JSON answer."""
    response = HttpResponse(json.dumps(body, ensure_ascii=False), status=status, content_type=content_type)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Vary"] = "Accept, Accept-Encoding, Cookie, Authorization"
    return response


def answer_description(exchange: Exchange) -> HttpResponse:
    """The page and its actions, for a program."""
    body = describe_app(exchange.app)
    if exchange.visit is not None and not exchange.visitor.caller:
        body["csrf"] = exchange.visit.csrf_token
    return answer_json(body)


def answer_first_view(exchange: Exchange) -> HttpResponse:
    """The page before anything was sent, from the bytes that are kept."""
    document = documents.first_view(exchange.app, exchange.url)
    assert exchange.visit is not None
    nonce = headers.new_nonce()
    words = {"nonce": nonce, "csrf": exchange.visit.csrf_token}
    if "gzip" in exchange.request.headers.get("Accept-Encoding", ""):
        response = HttpResponse(document.gzipped(**words), content_type=HTML)
        response.headers["Content-Encoding"] = "gzip"
    else:
        response = HttpResponse(document.plain(**words), content_type=HTML)
    return _with_page_headers(exchange, response, nonce)


def answer_page(exchange: Exchange, state: PageState, *, status: int = 200) -> HttpResponse:
    """The page in a state; only its blocks when htmx asks."""
    if "HX-Request" in exchange.request.headers:
        return _with_page_headers(exchange, HttpResponse(show_region(exchange.app, state), HTML, status), state.nonce)
    body = show_document(exchange.app, state).encode()
    response = HttpResponse(content_type=HTML, status=status)
    if len(body) > _SMALLEST_GZIP and "gzip" in exchange.request.headers.get("Accept-Encoding", ""):
        body = gzip.compress(body, 5, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
    response.content = body
    return _with_page_headers(exchange, response, state.nonce)


def answer_error(exchange: Exchange, error: AppRunError) -> HttpResponse:
    """What is wrong: a problem document (RFC 9457) for programs, a page for people."""
    request_id = getattr(exchange.request, "request_id", "")
    told = error
    if exchange.wants_json and isinstance(error, AppOverAllowance) and exchange.is_of_a_member():
        told = error.told_members
    status, body = describe_problem(told, request_id=request_id)
    if exchange.wants_json:
        response = answer_json(body, status=status, content_type="application/problem+json")
    else:
        response = _error_page(exchange, error, status, request_id)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="apprun"'
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        response.headers["Retry-After"] = str(max(1, round(retry_after)))
    return response


def sentences_for(exchange: Exchange, error: AppRunError) -> list[str]:
    """What a person is told of a problem. Of a spent allowance members learn how much of what was used."""
    if isinstance(error, AppOverAllowance) and exchange.is_of_a_member():
        return [error.detail, f"Only members of the workspace see this: {error.told_members.detail}"]
    return [error.detail]


def _error_page(exchange: Exchange, error: AppRunError, status: int, request_id: str) -> HttpResponse:
    nonce = headers.new_nonce()
    asks_password = isinstance(error, PasswordRequired | WrongPassword)
    values = {
        "status": status,
        "title": "This app asks for its password" if asks_password else _TITLES.get(status, "That did not work"),
        "sentences": sentences_for(exchange, error),
        "detail": error.detail,
        "theme": build_theme(),
        "nonce": nonce,
        "request_id": request_id,
        "asks_password": asks_password,
        "wrong_password": isinstance(error, WrongPassword),
        "csrf": exchange.visit.csrf_token if exchange.visit else "",
        "url": exchange.url,
        "sign_in_url": _sign_in_url(exchange) if _may_sign_in(exchange, error) else "",
        "signs_in_again": isinstance(error, NoSuchApp) and exchange.visitor.is_known,
        "can_retry": status in {429, 503},
    }
    if "HX-Request" in exchange.request.headers:
        response = HttpResponse(render_to_string("runtime/problem_region.html", values), HTML, status)
    else:
        response = HttpResponse(render_to_string("runtime/problem.html", values), HTML, status)
    return _with_page_headers(exchange, response, nonce)


def _may_sign_in(exchange: Exchange, error: AppRunError) -> bool:
    return isinstance(error, SignInRequired) or (isinstance(error, NoSuchApp) and exchange.visitor.person is not None)


def _sign_in_url(exchange: Exchange) -> str:
    return f"{settings.LOGIN_URL}?next={quote(exchange.url)}"


def _with_page_headers(exchange: Exchange, response: HttpResponse, nonce: str) -> HttpResponse:
    resolved = exchange.resolved
    ancestors = resolved.app.policy.frame_ancestors if resolved else ()
    images = resolved.page.image_origins if resolved else ()
    policy = headers.content_security_policy(nonce, frame_ancestors=ancestors, images=images)
    response.headers["Content-Security-Policy"] = policy
    response.xframe_options_exempt = bool(ancestors)
    for name, value in headers.page_headers(framed=bool(ancestors)).items():
        response.headers[name] = value
    return response
