"""What is answered where no view answers: unrouted addresses, refused forms, and faults of ours.

Programs (everything under ``/api/``, and whoever accepts JSON rather than HTML) get a problem document, people a page.
"""

from __future__ import annotations

import sys
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.csrf import requires_csrf_token
from rest_framework.request import Request
from rest_framework.response import Response

from apps.common import errors
from apps.common.api.permissions import OPEN
from apps.common.api.problems import BadRequest, InternalError, problem, problem_headers, problem_response, translate
from apps.common.api.views import ApiView

_PAGES = {
    400: ("This request can't be understood", "Go back and try it again."),
    403: ("You may not open this", "Sign in with another account, or ask whoever runs this workspace."),
    404: ("There is nothing here", "The address may be mistyped, or what was here has been put away."),
    410: ("This was put away", "There was something here; whoever made it has archived it."),
    413: ("This is too large", "Send less in one request."),
    500: ("Something went wrong on our side", "It has been noted. Try again in a moment."),
    503: ("Not available right now", "A part of the platform does not answer. Try again in a moment."),
}


class UnroutedView(ApiView):
    """Any address of the API that isn't one: a 404 that is counted like other calls."""

    required = dict.fromkeys(("get", "post", "put", "patch", "delete"), OPEN)
    idempotent = False
    documented = False

    def get(self, request: Request, **kwargs: Any) -> Response:
        raise errors.NotFound("There is no such address in this API; /api/docs lists them.")

    post = put = patch = delete = get


def wants_json(request: HttpRequest) -> bool:
    """Whether a program asks: under ``/api/``, or by an ``Accept`` that names JSON and not HTML."""
    if request.path.startswith("/api/"):
        return True
    accepted = request.headers.get("Accept", "")
    return "json" in accepted and "text/html" not in accepted


def respond_with_fault(request: HttpRequest, error: errors.AppRunError) -> HttpResponse:
    """``error`` as a problem document or as a page of the platform, whichever the caller reads."""
    if wants_json(request):
        return problem_response(error, request)
    request_id = getattr(request, "request_id", "")
    status, _ = problem(error, request_id=request_id)
    title, advice = _PAGES.get(status, _PAGES[400 if status < 500 else 500])
    page = render_to_string(
        "errors/error.html", {"status": status, "title": title, "advice": advice, "request_id": request_id}
    )
    return HttpResponse(page, status=status, headers=problem_headers(error, status))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400."""
    return respond_with_fault(request, translate(exception) or BadRequest())


@requires_csrf_token
def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403."""
    return respond_with_fault(request, translate(exception) or errors.Denied())


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404. What the address was is not repeated."""
    return respond_with_fault(request, translate(exception) or errors.NotFound())


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: also errors of ours that a page's view let pass, and a database that is down (503)."""
    exception = sys.exc_info()[1]
    error = translate(exception) if exception is not None else None
    return respond_with_fault(request, error or InternalError())


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW."""
    error = errors.Denied("The form is too old, or came from another site. Load the page again.", code="csrf_failed")
    return respond_with_fault(request, error)


def expected_error(request: HttpRequest, exception: Exception) -> HttpResponse | None:
    """A middleware's ``process_exception``: what a page's view raised and people are meant to see, is shown."""
    if isinstance(exception, errors.AppRunError | OperationalError | InterfaceError):
        error = translate(exception)
        return respond_with_fault(request, error) if error is not None else None
    return None
