"""What the API accepts: JSON of bounded size and depth."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import UnreadablePostError
from rest_framework.parsers import BaseParser

from apps.common.canonical_json import JsonTooLarge, MalformedJson, loads


class StrictJSONParser(BaseParser):
    """JSON as ``canonical_json.loads`` takes it; white space alone is an empty object, as no body is."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        try:
            raw = stream.body if hasattr(stream, "body") else stream.read(limit + 1)
        except RequestDataTooBig:
            raise JsonTooLarge(f"The body is larger than {limit:,} bytes, the most that is accepted.") from None
        except UnreadablePostError:
            raise MalformedJson("The body ended before it was complete.") from None
        return loads(raw, max_bytes=limit) if raw.strip() else {}
