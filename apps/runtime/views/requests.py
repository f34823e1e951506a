"""What a visitor sends: a form from a browser, or JSON from a program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.http import HttpRequest, QueryDict
from django.http.multipartparser import MultiPartParserError

from apps.common import canonical_json
from apps.common.errors import InvalidInput, TooLarge
from apps.common.ids import parse_id

MAX_RUNS = 20
"""Results shown on one page at once: one for each action."""


class _Lists(Protocol):
    def getlist(self, key: str) -> list[str]: ...


class UnsupportedBody(InvalidInput):
    """The body is of a type that isn't read here."""

    code = "unsupported_media_type"
    detail = "Send JSON (application/json) or a form."


@dataclass(frozen=True, slots=True)
class Sent:
    """The body of a POST, by what it may hold. ``inputs`` is of programs, ``form`` of browsers."""

    action: str = ""
    inputs: Any = None
    password: str | None = None
    csrf: str = ""
    runs: tuple[UUID, ...] = ()
    form: _Lists = field(default_factory=QueryDict)
    is_json: bool = False


def read_body(request: HttpRequest) -> Sent:
    """Read a POST. Raises InvalidInput (malformed, of another type) and TooLarge."""
    kind = request.content_type or ""
    try:
        if kind == "application/json":
            return _read_json(request.body, request.headers.get("X-CSRF-Token", ""))
        if kind in {"application/x-www-form-urlencoded", "multipart/form-data"}:
            return _read_form(request.POST)
    except RequestDataTooBig:
        raise TooLarge("This is more than can be sent at once.") from None
    except (TooManyFieldsSent, SuspiciousOperation, MultiPartParserError, UnicodeDecodeError):
        raise InvalidInput("This form can't be read.", code="malformed_form") from None
    raise UnsupportedBody


def read_runs(values: list[str]) -> tuple[UUID, ...]:
    """The runs that an address or a form names; what isn't an id is passed over."""
    found = (parse_id(value) for value in values[:MAX_RUNS])
    return tuple(dict.fromkeys(run for run in found if run is not None))


def _read_form(data: Any) -> Sent:
    return Sent(
        action=data.get("action", ""),
        password=data.get("password"),
        csrf=data.get("csrf", ""),
        runs=read_runs(data.getlist("run")),
        form=data,
    )


def _read_json(body: bytes, token: str) -> Sent:
    document = canonical_json.loads(body)
    if not isinstance(document, Mapping):
        raise InvalidInput.at("", "wrong_type", "Send an object with action and inputs.")
    password = document.get("password")
    if isinstance(password, str) and "action" not in document:
        return Sent(password=password, csrf=token, is_json=True)
    unknown = sorted(document.keys() - {"action", "inputs", "csrf"})
    if unknown:
        raise InvalidInput.at(f"/{unknown[0]}", "unknown_field", "Only action, inputs and csrf are read here.")
    action = document.get("action")
    if not isinstance(action, str) or not action:
        raise InvalidInput.at("/action", "required", "Name the action to run.")
    inputs = document.get("inputs", {})
    if not isinstance(inputs, Mapping):
        raise InvalidInput.at("/inputs", "wrong_type", "The inputs must be an object.")
    return Sent(action=action, inputs=inputs, csrf=str(document.get("csrf") or token), is_json=True)
