"""Errors as problem documents (RFC 9457): the one place where a category becomes a status."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.http import Http404
from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.views import set_rollback

from apps.common import errors

_STATUSES: tuple[tuple[type[errors.AppRunError], int, str], ...] = (
    (errors.InvalidActionInput, 422, "Invalid inputs"),
    (errors.InvalidInput, 400, "Invalid input"),
    (errors.TooLarge, 413, "Too large"),
    (errors.NotAuthenticated, 401, "Not authenticated"),
    (errors.Denied, 403, "Permission denied"),
    (errors.NotFound, 404, "Not found"),
    (errors.Conflict, 409, "Conflict"),
    (errors.Gone, 410, "Gone"),
    (errors.StaleRevision, 412, "Stale revision"),
    (errors.RevisionRequired, 428, "Revision required"),
    (errors.KeyReused, 422, "Idempotency key reused"),
    (errors.QuotaExceeded, 402, "Quota exceeded"),
    (errors.RateLimited, 429, "Too many requests"),
    (errors.Unavailable, 503, "Unavailable"),
)


def problem(error: errors.AppRunError, *, request_id: str) -> tuple[int, dict[str, Any]]:
    """The status and the problem document for ``error``."""
    status, title = next(((s, t) for kind, s, t in _STATUSES if isinstance(error, kind)), (500, "Error"))
    body: dict[str, Any] = {
        "type": f"/api/docs/problems#{error.code}",
        "title": title,
        "status": status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
        **error.extra,
    }
    if isinstance(error, errors.InvalidInput) and error.errors:
        body["errors"] = [{"pointer": item.pointer, "code": item.code, "detail": item.detail} for item in error.errors]
    return status, body


def exception_handler(exception: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook. What isn't an error of ours, DRF's or Django's stays an exception and becomes a 500."""
    set_rollback()
    request = context.get("request")
    request_id = getattr(request, "request_id", "")
    error = translate(exception)
    if error is None:
        return None
    status, body = problem(error, request_id=request_id)
    response = Response(body, status=status, content_type="application/problem+json")
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        response["Retry-After"] = str(max(1, round(retry_after)))
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def translate(exception: Exception) -> errors.AppRunError | None:
    """The platform's error for an exception of Django's or DRF's."""
    if isinstance(exception, errors.AppRunError):
        return exception
    if isinstance(exception, Http404):
        return errors.NotFound()
    if isinstance(exception, DjangoPermissionDenied):
        return errors.Denied()
    if isinstance(exception, APIException):
        return _from_rest_framework(exception)
    return None


def _from_rest_framework(exception: APIException) -> errors.AppRunError | None:
    return errors.InvalidInput(str(exception.detail))
