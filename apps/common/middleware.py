"""What every request gets, whoever serves it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import Histogram

from apps.common.api.faults import expected_error
from apps.common.ids import new_id
from apps.common.tenancy import leave_workspace

_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

access_log = structlog.get_logger("apprun.access")

_seconds = Histogram(
    "apprun_request_seconds",
    "Requests by method, address pattern and status.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def acceptable_request_id(given: str) -> bool:
    """Whether a caller's request id is harmless in headers and logs."""
    return _ACCEPTABLE_ID.fullmatch(given) is not None


def request_id(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Take the caller's ``X-Request-Id`` if it is harmless, else make one; put it on logs and on the answer.

    Also the outermost guard of tenancy: whatever happened inside, the connection is back in the public schema. And
    the one place that sees every answer: it is timed, counted, and logged in one line.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        identifier = given if acceptable_request_id(given) else new_id().hex
        request.request_id = identifier  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=identifier)
        try:
            response = get_response(request)
        finally:
            leave_workspace()
        response.headers["X-Request-Id"] = identifier
        if _is_signed_in(request):
            # Where a page says nothing itself, what was made for one person is kept by nobody.
            response.headers.setdefault("Cache-Control", "private, no-store")
        _record(request, response, time.perf_counter() - started)
        return response

    middleware.process_exception = expected_error  # type: ignore[attr-defined]
    return middleware


def _is_signed_in(request: HttpRequest) -> bool:
    """Whether somebody was found to be signed in by a cookie; asks nobody who wasn't asked before."""
    return bool(getattr(getattr(request, "_cached_user", None), "is_authenticated", False))


def _record(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    matched = request.resolver_match
    # The pattern, not the address: few values, and no secret that stands in an address.
    route = matched.route if matched is not None else ""
    method = request.method if request.method in _METHODS else "other"
    observe_request(method=method, route=route, status=response.status_code, seconds=seconds)
    if settings.ACCESS_LOG:
        access_log.info(
            "request",
            method=method,
            route=route,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
            caller=getattr(request, "caller", ""),
        )


def observe_request(*, method: str | None, route: str, status: int, seconds: float) -> None:
    """Time and count one answer, for ``/metrics``."""
    _seconds.labels(method, route, status).observe(seconds)
