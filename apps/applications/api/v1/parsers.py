"""Bodies that carry a definition."""

from __future__ import annotations

from typing import Any

from apps.applications.definitions.validation import too_large
from apps.applications.errors import DefinitionRefused
from apps.common.api.parsers import StrictJSONParser
from apps.common.canonical_json import JsonTooLarge
from apps.common.errors import FieldError


class DefinitionParser(StrictJSONParser):
    """JSON; a body beyond every limit is refused as the definition that it must hold, with 400 as any other of them."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except JsonTooLarge as error:
            length = (parser_context or {})["request"].META.get("CONTENT_LENGTH") or ""
            sentence = too_large(int(length) if length.isdigit() else None)
            fault = FieldError("/definition", "definition_too_large", sentence)
            raise DefinitionRefused(errors=[fault]) from error
