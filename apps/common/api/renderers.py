"""What the API answers with: JSON, always."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.renderers import JSONRenderer as StockJSONRenderer
from rest_framework.request import Request


class JSONRenderer(StockJSONRenderer):
    """Compact JSON; a problem document says so in its content type (RFC 9457, section 3)."""

    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        if data is None:
            return b""
        rendered: bytes = super().render(data, accepted_media_type, renderer_context)
        return rendered


class JSONOnly(BaseContentNegotiation):
    """There is one representation; an ``Accept`` header or ``?format=`` can't make the API answer anything else."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        from_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == from_type), None)

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)
