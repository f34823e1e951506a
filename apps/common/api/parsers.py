"""What the API accepts: JSON of bounded size and depth."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from apps.common.errors import TooLarge


class StrictJSONParser(BaseParser):
    """JSON (RFC 8259) without NaN and Infinity."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            raw = stream.body if hasattr(stream, "body") else stream.read()
        except RequestDataTooBig as error:
            raise TooLarge(str(error)) from error
        try:
            return json.loads(raw, parse_constant=_refuse_constant)
        except (ValueError, RecursionError, UnicodeDecodeError) as error:
            raise ParseError(f"The body is not valid JSON: {error}") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")
