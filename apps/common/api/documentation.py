"""The API's description: the OpenAPI document, two pages that show it, and one that explains the error codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from rest_framework.request import Request

from apps.common.api import etag
from apps.common.api.outputs import Raw
from apps.common.api.permissions import OPEN
from apps.common.api.problems import status_of
from apps.common.api.views import ApiView
from apps.common.errors import AppRunError
from apps.common.permissions import registry

MEDIA_TYPE = "application/vnd.oai.openapi+json"


@lru_cache(maxsize=1)
def openapi_document() -> bytes:
    """The document as JSON; views don't change while a process lives."""
    document = SchemaGenerator().get_schema(request=None, public=True)
    document["info"]["description"] += _permission_table()
    return json.dumps(document, separators=(",", ":"), default=str).encode()


class OpenApiView(ApiView):
    required = {"get": OPEN}
    outputs = {"get": Raw(MEDIA_TYPE, "The OpenAPI 3.1 document of this API.")}

    def get(self, request: Request) -> HttpResponse:
        """This description."""
        body = openapi_document()
        tag = etag.make_etag("1", body)
        known = request.headers.get("If-None-Match")
        if known is not None and etag.matches(known, tag):
            return HttpResponse(status=304, headers={"ETag": tag})
        return HttpResponse(body, content_type=MEDIA_TYPE, headers={"ETag": tag, "Cache-Control": "no-cache"})


@require_safe
def explorer(request: HttpRequest) -> HttpResponse:
    """Swagger UI: try the API out."""
    return render(request, "docs/explorer.html")


# Redoc writes its style sheet into the page and searches in a worker that it makes of a blob.
@csp_update({"style-src": ["'unsafe-inline'"], "worker-src": ["blob:"]})
@require_safe
def reference(request: HttpRequest) -> HttpResponse:
    """Redoc: read about the API."""
    return render(request, "docs/reference.html")


@dataclass(frozen=True, slots=True)
class ProblemCode:
    """One error that a caller may meet."""

    code: str
    status: int
    title: str
    detail: str
    explanation: str


@require_safe
def problems(request: HttpRequest) -> HttpResponse:
    """Every error code, under the anchor that a problem's ``type`` names."""
    return render(request, "docs/problems.html", {"problems": problem_codes()})


def problem_codes() -> list[ProblemCode]:
    """The codes of all errors that this process knows, each once."""
    found: dict[str, ProblemCode] = {}
    for kind in _kinds(AppRunError):
        if kind.code == AppRunError.code or kind.code in found:
            continue
        status, title = status_of(kind)
        explanation = " ".join((kind.__doc__ or "").replace("``", "").split())
        found[kind.code] = ProblemCode(kind.code, status, title, kind.detail, explanation)
    return sorted(found.values(), key=lambda each: (each.status, each.code))


def _kinds(kind: type[AppRunError]) -> Iterator[type[AppRunError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


def _permission_table() -> str:
    rows = "\n".join(
        f"| `{declared.code}` | {declared.description} | {', '.join(sorted(declared.roles))} |"
        for declared in registry.all()
    )
    heading = "\n\n## Permissions\n\n| code | what it allows | built-in roles that hold it |\n|---|---|---|\n"
    return heading + rows if rows else ""
