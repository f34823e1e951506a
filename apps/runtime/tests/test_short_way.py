"""The short way before Django answers exactly as the long way does."""

from __future__ import annotations

import gzip
import io
import re
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client, RequestFactory

from apps.common.ids import new_id
from apps.runtime.middleware import PublicPages
from apps.runtime.services.recording import recorder
from apps.runtime.tests.factories import publish_app
from apps.runtime.tests.test_actions import url_of

pytestmark = pytest.mark.django_db


def get(path: str, **environ: Any) -> tuple[str, dict[str, str], bytes]:
    """A GET through the short way; "long" as the status when it hands the request on."""
    answer: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
        answer.update(status=status, headers=dict(headers))

    def long_way(_: Any, start: Any) -> list[bytes]:
        start("long", [])
        return [b""]

    request = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "HTTP_HOST": "testserver",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }
    body = b"".join(PublicPages(long_way)(request | environ, start_response))
    return answer["status"], answer["headers"], body


def without_words(html: str) -> str:
    """A page without the words that differ between two answers."""
    return re.sub(r'nonce="[^"]+"|name="csrf" value="[^"]+"', "", html)


def test_both_ways_give_the_same_answer(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    url = url_of(workspace)
    status, headers, body = get(url)
    long = client.get(url)
    assert status == "200 OK"
    assert without_words(body.decode()) == without_words(long.content.decode())
    ours = {name.lower() for name in headers} - {"set-cookie"}
    assert ours == {name.lower() for name in long.headers} - {"set-cookie"}
    for name in ours - {"content-security-policy", "ratelimit", "x-request-id"}:
        assert long.headers[name] == {k.lower(): v for k, v in headers.items()}[name]
    nonce = re.compile(r"nonce-[^']+")
    csp = "Content-Security-Policy"
    assert nonce.sub("", headers[csp]) == nonce.sub("", long.headers[csp])
    cookie = long.cookies["apprun_visit"].OutputString()
    attributes = lambda line: sorted(part.strip().lower() for part in line.split(";")[1:])  # noqa: E731
    assert attributes(headers["Set-Cookie"]) == attributes(cookie)


def test_its_cookie_and_form_work_on_the_long_way(workspace: Any) -> None:
    publish_app(workspace)
    url = url_of(workspace)
    _, headers, body = get(url)
    client = Client(headers={"Cookie": headers["Set-Cookie"].split(";")[0]})
    token = re.search(rb'name="csrf" value="([^"]+)"', body)
    assert token
    answer = client.post(url, {"csrf": token[1].decode(), "action": "add", "a": "1", "b": "2"})
    assert answer.status_code == 303


def test_gzip_and_https(workspace: Any) -> None:
    publish_app(workspace)
    _, headers, body = get(url_of(workspace), HTTP_ACCEPT_ENCODING="br, gzip", **{"wsgi.url_scheme": "https"})
    assert b"<h1>Adder</h1>" in gzip.decompress(body)
    assert "Secure" in headers["Set-Cookie"]
    assert headers["Content-Length"] == str(len(body))


@pytest.mark.parametrize(
    "environ",
    [
        {"REQUEST_METHOD": "POST"},
        {"QUERY_STRING": "run=1"},
        {"HTTP_AUTHORIZATION": "Api-Key x"},
        {"HTTP_ACCEPT": "application/json"},
        {"HTTP_HX_REQUEST": "true"},
        {"HTTP_HOST": "evil.example"},
    ],
)
def test_what_is_not_plain_goes_the_long_way(workspace: Any, environ: dict[str, str]) -> None:
    publish_app(workspace)
    assert get(url_of(workspace), **environ)[0] == "long"


@pytest.mark.parametrize("policy", [{"audience": "members"}, {"addresses": ["10.0.0.0/8"]}, {"status": "deprecated"}])
def test_what_is_not_public_goes_the_long_way(workspace: Any, policy: dict[str, Any]) -> None:
    publish_app(workspace, **policy)
    assert get(url_of(workspace))[0] == "long"
    assert get(f"{url_of(workspace)}x")[0] == "long"
    assert get(f"{url_of(workspace)}/schema")[0] == "long"


def test_fault_26_the_short_way_counts_too(workspace: Any) -> None:
    publish_app(workspace, visitor_limit=3)
    statuses = [get(url_of(workspace))[0] for _ in range(5)]
    assert statuses == ["200 OK"] * 3 + ["long"] * 2


def test_it_records_the_view_and_the_visit(workspace: Any) -> None:
    publish_app(workspace)
    get(url_of(workspace), HTTP_USER_AGENT="Probe/1")
    assert recorder.flush() == 1


def test_the_web_process_uses_it(workspace: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from config.wsgi import application

    publish_app(workspace)
    monkeypatch.setattr(WSGIHandler, "__call__", lambda *_: pytest.fail("Django was asked"))
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": url_of(workspace),
        "HTTP_HOST": "testserver",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }
    body = b"".join(application(environ, lambda *_: None))
    assert b"<h1>Adder</h1>" in body


@pytest.mark.parametrize(
    "path", ["/runtime/a\x00b/adder", "/runtime/{slug}/a\x00", "/runtime/{slug}/\xff", "/runtime//x"]
)
def test_what_is_no_address_goes_the_long_way(workspace: Any, path: str) -> None:
    assert get(path.format(slug=workspace.slug))[0] == "long"


def test_an_address_without_an_app_is_counted_once_for_both_ways(settings: Any, django_assert_num_queries: Any) -> None:
    settings.RATE_RUNTIME_UNKNOWN = "2/60"
    environ = (
        RequestFactory().get("/", HTTP_HOST="testserver", REMOTE_ADDR=f"2001:db8:{new_id().hex[-4:]}:3::1").environ
    )
    statuses: list[int] = []

    def long_way(given: dict[str, Any], _: Any) -> list[bytes]:
        statuses.append(Client().get(given["PATH_INFO"], **given).status_code)
        return []

    def ask(number: int) -> None:
        PublicPages(long_way)(environ | {"PATH_INFO": f"/runtime/nobody/app-{number}"}, print)

    ask(1)
    ask(2)
    with django_assert_num_queries(0):
        ask(3)
    assert statuses == [404, 404, 429]
