"""Bodies without a length, as a server hands them over."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from django.core.wsgi import get_wsgi_application
from django.test import RequestFactory

from apps.common.chunked_bodies import accept_chunked

pytestmark = pytest.mark.django_db


def _post(body: bytes, environ: dict[str, Any]) -> tuple[int, Any]:
    request = RequestFactory().post("/api/v1/batch", content_type="application/json").environ
    request.pop("CONTENT_LENGTH", None)
    status: list[str] = []
    answer = accept_chunked(get_wsgi_application())(
        {**request, "wsgi.input": BytesIO(body), **environ}, lambda line, headers, *_: status.append(line)
    )
    return int(status[0][:3]), json.loads(b"".join(answer))


def test_a_chunked_body_is_read() -> None:
    body = json.dumps({"requests": [{"method": "GET", "path": "/api/v1/nothing"}]}).encode()
    status, document = _post(body, {"HTTP_TRANSFER_ENCODING": "chunked"})
    assert status == 200
    assert document["responses"][0]["status"] == 404


def test_a_long_chunked_body_is_413(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    status, document = _post(b" " * 1001, {"HTTP_TRANSFER_ENCODING": "chunked"})
    assert (status, document["code"]) == (413, "json_too_large")


def test_no_more_is_read_than_is_accepted(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100_000
    endless = BytesIO(b" " * 10_000_000)
    environ = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": endless}
    lengths = []
    accept_chunked(lambda environ, _: lengths.append(environ["CONTENT_LENGTH"]) or [])(environ, print)
    assert lengths == ["100001"]
    assert endless.tell() == 100_001
