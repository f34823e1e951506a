"""How views become an OpenAPI document: from their tables, so that it can't say anything else than they do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import django_filters
from drf_spectacular.openapi import AutoSchema as StockAutoSchema
from drf_spectacular.plumbing import build_parameter_type
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from apps.common.api.filters import Filters
from apps.common.api.outputs import Accepted, Created, Listing, Raw
from apps.common.api.permissions import OPEN
from apps.common.api.views import ApiView

_PROBLEM = "application/problem+json"
_WORDS = {
    "@open": "Open to everybody.",
    "@signed_in": "Needs a caller who is signed in.",
    "@member": "Needs a member of the workspace.",
    "@operator": "Needs an operator of the platform.",
}
_PATH_PARAMETERS = {
    "workspace": "A workspace's id or slug.",
    "app": "An app's id or slug.",
}
_PARAMETER = re.compile(r"{(\w+)}")
_FILTER_TYPES: tuple[tuple[type[Any], dict[str, Any]], ...] = (
    (django_filters.UUIDFilter, {"type": "string", "format": "uuid"}),
    (django_filters.BooleanFilter, {"type": "boolean"}),
    (django_filters.NumberFilter, {"type": "number"}),
    (django_filters.IsoDateTimeFilter, {"type": "string", "format": "date-time"}),
    (django_filters.DateTimeFilter, {"type": "string", "format": "date-time"}),
    (django_filters.DateTimeFromToRangeFilter, {"type": "string", "format": "date-time"}),
    (django_filters.IsoDateTimeFromToRangeFilter, {"type": "string", "format": "date-time"}),
    (django_filters.DateFilter, {"type": "string", "format": "date"}),
    (django_filters.DateFromToRangeFilter, {"type": "string", "format": "date"}),
)


class FieldProblem(serializers.Serializer[Any]):
    """One thing wrong in the input."""

    pointer = serializers.CharField(help_text="RFC 6901; of a query parameter its name. Empty: the whole body.")
    code = serializers.CharField()
    detail = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """An error, as RFC 9457 describes it; some have further members."""

    type = serializers.CharField(help_text="Where the code is explained.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField(help_text="Stable: for programs.")
    request_id = serializers.CharField()
    errors = FieldProblem(many=True, required=False)  # type: ignore[assignment]
    decision_id = serializers.CharField(required=False, help_text="What a refusal came from: …/decisions/{id}.")


class AutoSchema(StockAutoSchema):
    """drf-spectacular's, reading ``required``, ``inputs``, ``outputs`` and the other tables of ``ApiView``."""

    view: Any

    @property
    def act(self) -> str:
        return str(getattr(self.view, "action", None) or self.method.lower())

    @property
    def output(self) -> Any:
        return self.view.outputs.get(self.act)

    def is_excluded(self) -> bool:
        return not isinstance(self.view, ApiView) or not self.view.documented

    def get_tags(self) -> list[str]:
        return [type(self.view).__module__.split(".")[1].replace("common", "platform")]

    def get_operation_id(self) -> str:
        words = [word.replace("-", "_") for word in self.path.split("/")[3:] if word and not word.startswith("{")]
        return "_".join(words if words and words[-1] == self.act else [*words, self.act])

    def get_summary(self) -> str | None:
        return self._docstring()[0]

    def get_description(self) -> str:  # type: ignore[override]
        rule = self.view.required.get(self.act, "")
        needs = _WORDS.get(rule, f"Needs the permission `{rule}`.")
        return "\n\n".join(part for part in (self._docstring()[1], needs) if part)

    def get_auth(self) -> list[dict[str, list[str]]]:
        if self.view.required.get(self.act) == OPEN:
            return [{}]
        return [{"bearer": []}, {"api_key": []}, {"session": []}]

    def get_extensions(self) -> dict[str, Any]:
        rule = self.view.required.get(self.act, "")
        return {} if rule.startswith("@") or not rule else {"x-permission": rule}

    def get_request_serializer(self) -> Any:
        return self.view.inputs.get(self.act)

    def get_response_serializers(self) -> Any:
        return {**dict(self._answers()), **dict(self._problems())}

    def get_override_parameters(self) -> list[Any]:
        return [*self._conditions(), *self._headers_of_answers()]

    def _is_list_view(self, serializer: Any = None) -> bool:
        return False

    def get_filter_backends(self) -> list[Any]:
        return []

    def _get_filter_parameters(self) -> list[Any]:
        if isinstance(self.output, Listing):
            return list(_listing_parameters(self.output))
        filters = self.output.filters if isinstance(self.output, Raw) else self.view.parameters.get(self.act)
        return list(_filter_parameters(filters))

    def _get_pagination_parameters(self) -> list[Any]:
        return []

    def _resolve_path_parameters(self, variables: list[str]) -> list[Any]:
        return [
            build_parameter_type(
                name=name,
                schema={"type": "string"},
                location=OpenApiParameter.PATH,
                description=_PATH_PARAMETERS.get(name, ""),
            )
            for name in variables
        ]

    def _docstring(self) -> tuple[str, str]:
        handler = getattr(self.view, self.act, None)
        text = (getattr(handler, "__doc__", None) or "").strip()
        if not text:
            words = self.act.replace("_", " ").replace("partial update", "change").replace("destroy", "delete")
            return f"{words.capitalize()} {self._noun()}".strip(), ""
        summary, _, rest = text.partition("\n\n")
        return " ".join(summary.split()).rstrip("."), " ".join(rest.split())

    def _noun(self) -> str:
        words = [word for word in self.path.split("/") if word and not word.startswith("{")]
        return words[-1].replace("-", " ") if words else ""

    # ---- answers

    def _answers(self) -> Iterator[tuple[Any, Any]]:
        output = self.output
        match output:
            case Listing():
                yield 200, OpenApiResponse(self._page_schema(output), description="A page.")
                if output.csv:
                    yield (200, "text/csv"), OpenApiResponse(OpenApiTypes.STR, description="All of it.")
            case Created():
                yield 201, OpenApiResponse(output.item, description="Created.")
            case Accepted():
                yield 200, OpenApiResponse(_OPERATION, description="Finished within the preferred wait.")
                yield 202, OpenApiResponse(_OPERATION, description="Accepted; Location is the operation.")
            case Raw():
                shape: Any = {} if "json" in output.media_type else OpenApiTypes.STR
                yield (200, output.media_type), OpenApiResponse(shape, description=output.description)
            case None:
                yield 204, OpenApiResponse(description="Done.")
            case Mapping():
                for status, item in output.items():
                    yield status, OpenApiResponse(item, description="")
            case _:
                yield 200, OpenApiResponse(output, description="")
        if self._is_conditional_read():
            yield 304, OpenApiResponse(description="Not changed since the ETag in If-None-Match.")

    def _page_schema(self, listing: Listing) -> dict[str, Any]:
        shown: Any = listing.item
        item = self.resolve_serializer(shown, "response").ref
        address = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["items", "next", "previous"],
            "properties": {"items": {"type": "array", "items": item}, "next": address, "previous": address},
        }

    def _problems(self) -> Iterator[tuple[Any, Any]]:
        is_open = self.view.required.get(self.act) == OPEN
        is_post = self.method == "POST"
        conditional = self.view.conditional.get(self.act)
        statuses = {
            400: True,
            401: True,
            402: is_post and not is_open,
            403: True,
            404: True,
            409: self.method != "GET",
            412: bool(conditional),
            413: self.act in self.view.inputs,
            415: self.act in self.view.inputs,
            422: self._takes_key(),
            428: conditional == "required",
            429: True,
            503: True,
        }
        for status, possible in statuses.items():
            if possible:
                yield (status, _PROBLEM), OpenApiResponse(Problem, description=_PROBLEM_SENTENCES[status])

    # ---- parameters

    def _conditions(self) -> Iterator[OpenApiParameter]:
        header: Any = OpenApiParameter.HEADER
        rule = self.view.conditional.get(self.act)
        if rule:
            sentence = "The ETag that was read: 412 when the resource has changed since."
            yield OpenApiParameter("If-Match", str, header, required=rule == "required", description=sentence)
        if self._is_conditional_read():
            yield OpenApiParameter(
                "If-None-Match", str, header, description="An ETag: 304 while it is the present one."
            )
        if self._takes_key():
            sentence = "1 to 255 visible characters: a repeat within 24 hours gets the first answer."
            yield OpenApiParameter("Idempotency-Key", str, header, description=sentence)
        if isinstance(self.output, Accepted):
            yield OpenApiParameter(
                "Prefer", str, header, description="`wait=N` holds the answer up to N (≤ 30) seconds."
            )
        if self._is_single():
            yield OpenApiParameter("fields", str, description="Names of fields to answer, with commas between.")

    def _headers_of_answers(self) -> Iterator[OpenApiParameter]:
        header: Any = OpenApiParameter.HEADER
        if self._is_conditional_read():
            yield OpenApiParameter("ETag", str, header, response=[200], description="For If-None-Match and If-Match.")
        if isinstance(self.output, Created | Accepted):
            status = 201 if isinstance(self.output, Created) else 202
            yield OpenApiParameter("Location", str, header, response=[status], description="Where it is.")

    def _takes_key(self) -> bool:
        return (
            self.method == "POST"
            and self.view.idempotent
            and self.view.required.get(self.act) != OPEN
            and not self.path.startswith("/api/v1/auth/")
        )

    def _is_single(self) -> bool:
        output = self.output
        return isinstance(output, Created) or (isinstance(output, type) and self.method in {"GET", "PATCH", "PUT"})

    def _is_conditional_read(self) -> bool:
        return self.method == "GET" and isinstance(self.output, type)


_OPERATION = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "kind": {"type": "string"},
        "status": {"type": "string", "enum": ["queued", "running", "succeeded", "failed", "canceled"]},
        "progress": {"type": "integer", "minimum": 0, "maximum": 100},
        "message": {"type": "string"},
        "result": {},
        "error": {},
    },
}
_PROBLEM_SENTENCES = {
    400: "The input is not valid; errors says where and why.",
    401: "Nobody, or credentials that don't hold.",
    402: "A limit of the plan is reached.",
    403: "The caller may not do this.",
    404: "There is no such thing, or none that the caller may know of.",
    409: "It contradicts the present state.",
    412: "The resource changed since the ETag in If-Match.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "The Idempotency-Key was used for another request.",
    428: "If-Match is missing.",
    429: "Too many requests; Retry-After says how long to wait.",
    503: "A part does not answer; Retry-After says when to try again.",
}


def _query_parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    query: Any = OpenApiParameter.QUERY
    shown: dict[str, Any] = build_parameter_type(name=name, schema=schema, location=query, description=description)
    return shown


def _filter_parameters(filters: type[Filters] | None) -> Iterator[dict[str, Any]]:
    if filters is not None:
        for name, schema in _filter_schemas(filters):
            declared = filters.base_filters.get(name)
            sentence = str(declared.extra.get("help_text") or "") if declared else ""
            yield _query_parameter(name, schema, sentence)


def _listing_parameters(listing: Listing) -> Iterator[dict[str, Any]]:
    parameter = _query_parameter
    orders = sorted(f"{sign}{name}" for name in listing.columns for sign in ("", "-"))
    yield parameter("cursor", {"type": "string"}, "From `next` or `previous` of another page.")
    limit = {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
    yield parameter("limit", limit, "Items in a page.")
    yield parameter("order", {"type": "string", "enum": orders, "default": listing.default_order}, "")
    yield parameter("fields", {"type": "string"}, "Names of fields to answer, with commas between.")
    if listing.search:
        yield parameter("q", {"type": "string"}, "Words that all have to occur.")
    if listing.csv:
        yield parameter("as", {"type": "string", "enum": ["csv"]}, "All that the filters leave, as a file.")
    yield from _filter_parameters(listing.filters)


def _filter_schemas(filters: type[Filters]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, declared in filters.base_filters.items():
        schema = next((shape for kind, shape in _FILTER_TYPES if isinstance(declared, kind)), {"type": "string"})
        choices = declared.extra.get("choices")
        if choices and not callable(choices):
            schema = {"type": "string", "enum": [value for value, _ in choices]}
        suffixes = getattr(getattr(declared.field_class, "widget", None), "suffixes", None)
        for suffix in [f"_{word}" for word in suffixes if word] if suffixes else [""]:
            yield f"{name}{suffix}", schema
