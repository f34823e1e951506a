"""Errors as problem documents (RFC 9457): the one place where a category becomes a status."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import structlog
from django.core import exceptions as django_errors
from django.db import InterfaceError, OperationalError, connection
from django.http import Http404, HttpResponse
from rest_framework import exceptions as drf_errors
from rest_framework.response import Response
from rest_framework.settings import api_settings

from apps.common import errors

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"

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


class _HttpFault(errors.AppRunError):
    """What is wrong with the request as a message, before any rule: these exist in HTTP only."""

    status = 400
    title = "Bad request"


class BadRequest(_HttpFault):
    code = "bad_request"
    detail = "This request can't be understood."


class MethodNotAllowed(_HttpFault):
    code, status, title = "method_not_allowed", 405, "Method not allowed"
    detail = "This address doesn't take this method; see the Allow header."


class NotAcceptable(_HttpFault):
    code, status, title = "not_acceptable", 406, "Not acceptable"
    detail = "The API answers with JSON only."


class UnsupportedMediaType(_HttpFault):
    code, status, title = "unsupported_media_type", 415, "Unsupported media type"
    detail = "Send the body as application/json."


class InternalError(_HttpFault):
    code, status, title = "internal_error", 500, "Internal error"
    detail = "Something went wrong on our side. The request id leads us to it."


class DatabaseUnavailable(errors.Unavailable):
    code = "database_unavailable"
    detail = "The database does not answer now. Try again shortly."


def status_of(kind: type[errors.AppRunError]) -> tuple[int, str]:
    """The status and the title of a kind of error."""
    if issubclass(kind, _HttpFault):
        return kind.status, kind.title
    return next(((status, title) for base, status, title in _STATUSES if issubclass(kind, base)), (500, "Error"))


def problem(error: errors.AppRunError, *, request_id: str) -> tuple[int, dict[str, Any]]:
    """The status and the problem document for ``error``."""
    status, title = status_of(type(error))
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


def problem_headers(error: errors.AppRunError, status: int) -> dict[str, str]:
    """The headers that belong to the problem."""
    headers: dict[str, str] = {}
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        headers["Retry-After"] = str(max(1, round(retry_after)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer, Api-Key"
    return headers


def respond_with_problem(exception: Exception, request: Any) -> Response | None:
    """The answer to ``exception`` in the API; None for a fault of ours, which stays an exception and becomes a 500."""
    error = translate(exception)
    if error is None:
        return None
    status, body = problem(error, request_id=getattr(request, "request_id", ""))
    headers = problem_headers(error, status)
    return Response(body, status=status, headers=headers, content_type=CONTENT_TYPE)


def exception_handler(exception: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's hook, for its views that aren't ours."""
    return respond_with_problem(exception, context.get("request"))


def problem_response(error: errors.AppRunError, request: Any) -> HttpResponse:
    """The same document outside of DRF's views."""
    status, body = problem(error, request_id=getattr(request, "request_id", ""))
    return HttpResponse(
        json.dumps(body, ensure_ascii=False, default=str),
        status=status,
        content_type=CONTENT_TYPE,
        headers=problem_headers(error, status),
    )


def translate(exception: BaseException) -> errors.AppRunError | None:  # noqa: PLR0911 - a table of kinds
    """The platform's error for an exception of Django's or DRF's; None for what nobody expected."""
    match exception:
        case errors.AppRunError():
            return exception
        case Http404():
            return errors.NotFound()
        case django_errors.PermissionDenied():
            return errors.Denied()
        case drf_errors.APIException():
            return _from_rest_framework(exception)
        case OperationalError() | InterfaceError():
            log.error("database_unavailable", error=str(exception).strip())
            _drop_broken_connection()
            return DatabaseUnavailable()
        case django_errors.RequestDataTooBig():
            return errors.TooLarge("The body is larger than this server accepts in one request.")
        case django_errors.SuspiciousOperation() | django_errors.BadRequest():
            return BadRequest()
        case django_errors.ValidationError():
            return errors.InvalidInput(errors=list(_from_django_validation(exception)))
        case _:
            return None


_FROM_REST_FRAMEWORK: tuple[tuple[type[drf_errors.APIException], type[errors.AppRunError]], ...] = (
    (drf_errors.NotAuthenticated, errors.NotAuthenticated),
    (drf_errors.AuthenticationFailed, errors.NotAuthenticated),
    (drf_errors.NotFound, errors.NotFound),
    (drf_errors.MethodNotAllowed, MethodNotAllowed),
    (drf_errors.NotAcceptable, NotAcceptable),
    (drf_errors.UnsupportedMediaType, UnsupportedMediaType),
)


def _from_rest_framework(exception: drf_errors.APIException) -> errors.AppRunError | None:
    detail = str(exception.detail) if isinstance(exception.detail, str) else None
    match exception:
        case drf_errors.ValidationError():
            return errors.InvalidInput(errors=list(field_errors(exception.detail)))
        case drf_errors.ParseError():
            return errors.InvalidInput(detail, code="malformed_json")
        case drf_errors.PermissionDenied():
            return errors.Denied(detail, code="csrf_failed" if detail and detail.startswith("CSRF") else None)
        case drf_errors.Throttled():
            return errors.RateLimited(retry_after=getattr(exception, "wait", None) or 1.0)
    for kind, error in _FROM_REST_FRAMEWORK:
        if isinstance(exception, kind):
            return error()
    return None if exception.status_code >= 500 else errors.InvalidInput(detail)


def field_errors(detail: Any, pointer: str = "") -> Iterator[errors.FieldError]:
    """DRF's nested lists and dictionaries of messages as a flat list with RFC 6901 pointers into the body."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            whole = name == api_settings.NON_FIELD_ERRORS_KEY
            yield from field_errors(inner, pointer if whole else f"{pointer}/{escape_pointer(str(name))}")
    elif isinstance(detail, list | tuple):
        for index, inner in enumerate(detail):
            # A list of messages is about one place; a list of dictionaries has one for each element, empty if right.
            yield from field_errors(inner, pointer if isinstance(inner, str) else f"{pointer}/{index}")
    else:
        yield errors.FieldError(pointer, str(getattr(detail, "code", "invalid")), str(detail))


def escape_pointer(name: str) -> str:
    """One reference token of an RFC 6901 pointer (section 3)."""
    return name.replace("~", "~0").replace("/", "~1")


def _drop_broken_connection() -> None:
    """Close a connection that doesn't work any more, so that the next query makes a new one."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


def _from_django_validation(exception: django_errors.ValidationError) -> Iterator[errors.FieldError]:
    if hasattr(exception, "error_dict"):
        for name, inner in exception.error_dict.items():
            pointer = "" if name == django_errors.NON_FIELD_ERRORS else f"/{escape_pointer(name)}"
            for error in inner:
                yield errors.FieldError(pointer, error.code or "invalid", " ".join(error.messages))
    else:
        for error in exception.error_list:
            yield errors.FieldError("", error.code or "invalid", " ".join(error.messages))
