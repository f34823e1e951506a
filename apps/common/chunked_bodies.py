"""Bodies without a length (``Transfer-Encoding: chunked``, RFC 9112, section 7.1), which Django reads as empty."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from django.conf import settings

_PIECE = 65_536

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def accept_chunked(application: Application) -> Application:
    """``application``, which gets chunked bodies with their length, as if it had been sent.

    At most one byte more than ``DATA_UPLOAD_MAX_MEMORY_SIZE`` is read, so that Django refuses what is longer.
    """

    def with_length(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower() and not environ.get("CONTENT_LENGTH"):
            body = _read(environ["wsgi.input"], settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
            environ = {**environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        return application(environ, start_response)

    return with_length


def _read(stream: Any, at_most: int) -> bytes:
    pieces: list[bytes] = []
    missing = at_most
    while missing and (piece := stream.read(min(missing, _PIECE))):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)
