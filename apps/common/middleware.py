"""What every request gets, whoever serves it."""

from __future__ import annotations

import re
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from apps.common.ids import new_id
from apps.common.tenancy import leave_workspace

_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Take the caller's ``X-Request-Id`` if it is harmless, else make one; put it on logs and on the answer.

    Also the outermost guard of tenancy: whatever happened inside, the connection is back in the public schema.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        identifier = given if _ACCEPTABLE_ID.fullmatch(given) else new_id().hex
        request.request_id = identifier  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=identifier)
        try:
            response = get_response(request)
        finally:
            leave_workspace()
        response.headers["X-Request-Id"] = identifier
        return response

    return middleware
