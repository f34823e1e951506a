"""Several requests in one: each is answered as if it had come alone."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import structlog
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import Http404, HttpRequest
from django.urls import resolve
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.common.api.faults import UnroutedView
from apps.common.api.inputs import Input
from apps.common.api.permissions import OPEN
from apps.common.api.problems import InternalError, problem_response, translate
from apps.common.api.views import ApiView

log = structlog.get_logger(__name__)

_ROOT = "/api/v1/"
#: What belongs to the outer request and may not be said again for an inner one.
_HEADERS = {
    "if-match": "HTTP_IF_MATCH",
    "if-none-match": "HTTP_IF_NONE_MATCH",
    "idempotency-key": "HTTP_IDEMPOTENCY_KEY",
}
_NOT_INHERITED = frozenset({*_HEADERS.values(), "HTTP_PREFER", "HTTP_TRANSFER_ENCODING"})
_INHERITED = (
    "request_id",
    "session",
    "user",
    "_cached_user",
    "csrf_processing_done",
    "_dont_enforce_csrf_checks",
    "_force_auth_user",
    "_force_auth_token",
)
_SHOWN_HEADERS = ("ETag", "Location", "Retry-After", "RateLimit", "Idempotency-Replayed", "Deprecation", "Sunset")


class BatchedRequest(Input):
    """One request of a batch."""

    method = serializers.ChoiceField(choices=["GET", "POST", "PUT", "PATCH", "DELETE"])
    path = serializers.CharField(max_length=4000, help_text="From /api/v1/ on, with its query.")
    headers = serializers.DictField(child=serializers.CharField(max_length=1000), required=False)
    body = serializers.JSONField(required=False)

    def validate_path(self, path: str) -> str:
        target = unquote(path.partition("?")[0])
        if not target.startswith(_ROOT) or not path.isascii() or any(ord(sign) <= 32 for sign in path):
            raise serializers.ValidationError(f"A path begins with {_ROOT}, escaped as in an address.", code="invalid")
        if target.rstrip("/") == f"{_ROOT}batch":
            raise serializers.ValidationError("A batch can't hold another one.", code="nested_batch")
        return path

    def validate_headers(self, headers: dict[str, str]) -> dict[str, str]:
        unknown = [name for name in headers if name.lower() not in _HEADERS]
        if unknown:
            sentence = f"{', '.join(unknown)}: only {', '.join(_HEADERS)} may be given here."
            raise serializers.ValidationError(sentence, code="unknown_header")
        return headers


class Batch(Input):
    """Requests to carry out, one after the other."""

    requests = BatchedRequest(many=True, allow_empty=False, max_length=settings.BATCH_MAX_REQUESTS)  # type: ignore[call-arg]


class BatchedResponse(serializers.Serializer[Any]):
    """How one request of a batch was answered."""

    status = serializers.IntegerField()
    headers = serializers.DictField(child=serializers.CharField())
    body = serializers.JSONField(allow_null=True)


class BatchAnswer(serializers.Serializer[Any]):
    """The answers, in the order of the requests."""

    responses = BatchedResponse(many=True)


class BatchView(ApiView):
    """Carries out up to 50 requests in order, as the same caller; one that fails doesn't stop those behind it."""

    required = {"post": OPEN}
    inputs = {"post": Batch}
    outputs = {"post": BatchAnswer}
    idempotent = False

    def post(self, request: Request) -> Response:
        """Carry out several requests in one.

        Each has its own status, its own transaction, and counts as a request of its own.
        """
        return self.answer({"responses": [self._carry_out(each) for each in self.read()["requests"]]})

    def _carry_out(self, wanted: dict[str, Any]) -> dict[str, Any]:
        inner = _inner_request(self.request._request, wanted)
        try:
            match = resolve(inner.path_info)
        except Http404:
            view, args, kwargs = UnroutedView.as_view(), (), {}
        else:
            view, args, kwargs = match
            inner.resolver_match = match
        try:
            answer: Any = view(inner, *args, **kwargs)
        except Exception as error:
            expected = translate(error)
            if expected is None:
                log.exception("batched_request_failed", method=inner.method, path=inner.path)
            answer = problem_response(expected or InternalError(), inner)
        if answer.streaming:
            body: Any = None
        else:
            text = answer.content.decode(errors="replace")
            body = (json.loads(text) if "json" in answer.get("Content-Type", "") else text) if text else None
        headers = {name: answer[name] for name in _SHOWN_HEADERS if answer.has_header(name)}
        return {"status": answer.status_code, "headers": headers, "body": body}


def _inner_request(outer: HttpRequest, wanted: dict[str, Any]) -> HttpRequest:
    body = json.dumps(wanted["body"]).encode() if "body" in wanted else b""
    path, _, query = wanted["path"].partition("?")
    meta = {name: value for name, value in outer.META.items() if name not in _NOT_INHERITED}
    meta |= {_HEADERS[name.lower()]: value for name, value in wanted.get("headers", {}).items()}
    meta |= {
        "REQUEST_METHOD": wanted["method"],
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
    }
    inner = WSGIRequest(meta)
    # What the middlewares found out about the outer request, its CSRF check included.
    for name in _INHERITED:
        if hasattr(outer, name):
            setattr(inner, name, getattr(outer, name))
    return inner
