"""What is answered where no view answers, and when a part is missing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from rest_framework.test import APIClient

from apps.common.api.documentation import openapi_document, problem_codes
from apps.common.api.problems import translate
from apps.common.errors import RateLimited


@pytest.fixture
def quiet() -> Client:
    """A client that shows what a caller would get for an exception."""
    return Client(raise_request_exception=False)


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v1/nothing", "/api/v2/apps", "/api/v1/batch/"])
def test_an_unrouted_address_of_the_api(client: Client, method: str, path: str) -> None:
    answer = getattr(client, method)(path)
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["code"] == "not_found"
    assert document["request_id"] == answer["X-Request-Id"]
    assert "RateLimit" in answer


@pytest.mark.django_db
def test_an_unrouted_page_is_html_for_people_and_a_problem_for_programs(client: Client) -> None:
    page = client.get("/no/such/page", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert page["Content-Type"].startswith("text/html")
    assert b"There is nothing here" in page.content
    document = client.get("/no/such/page", headers={"Accept": "application/json"})
    assert document.status_code == 404
    assert document["Content-Type"] == "application/problem+json"


@pytest.mark.django_db
@pytest.mark.urls("apps.common.tests.fault_urls")
def test_a_fault_of_ours_shows_no_trace(quiet: Client) -> None:
    answer = quiet.get("/broken", headers={"Accept": "application/json", "X-Request-Id": "from-the-caller"})
    assert answer.status_code == 500
    document = answer.json()
    assert (document["code"], document["request_id"]) == ("internal_error", "from-the-caller")
    assert "Traceback" not in answer.content.decode()
    assert "secret detail" not in answer.content.decode()
    page = quiet.get("/broken", headers={"Accept": "text/html"})
    assert page.status_code == 500
    assert b"on our side" in page.content
    assert b"secret detail" not in page.content


@pytest.mark.django_db
@pytest.mark.urls("apps.common.tests.fault_urls")
@pytest.mark.parametrize("path", ["/no-database", "/api/no-database"])
def test_fault_62_without_the_database_it_says_503(quiet: Client, path: str) -> None:
    answer = quiet.get(path, headers={"Accept": "application/json"})
    assert answer.status_code == 503
    assert answer.json()["code"] == "database_unavailable"
    assert int(answer["Retry-After"]) >= 1
    assert "server closed" not in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.urls("apps.common.tests.fault_urls")
def test_errors_of_ours_reach_people_as_pages(client: Client) -> None:
    answer = client.get("/gone", headers={"Accept": "text/html"})
    assert answer.status_code == 410
    assert b"put away" in answer.content


@pytest.mark.django_db
def test_a_harmful_request_id_is_replaced(client: Client) -> None:
    for given in ("a b", "x" * 65, "a\tb", "<script>"):
        assert client.get("/api/v1/nothing", headers={"X-Request-Id": given})["X-Request-Id"] != given
    assert client.get("/api/v1/nothing", headers={"X-Request-Id": "a.B-9_"})["X-Request-Id"] == "a.B-9_"


@pytest.mark.django_db
def test_nul_in_an_address_is_no_fault_of_ours(client: Client) -> None:
    assert client.get("/api/v1/workspaces/%00").status_code == 404


def test_errors_of_the_database_are_translated() -> None:
    error = translate(OperationalError("server closed the connection unexpectedly"))
    assert error is not None
    assert error.code == "database_unavailable"
    assert translate(KeyError("x")) is None


def test_every_code_is_explained() -> None:
    codes = problem_codes()
    assert len({each.code for each in codes}) == len(codes)
    by_code = {each.code: each for each in codes}
    assert by_code[RateLimited.code].status == 429
    assert by_code["stale_revision"].status == 412
    assert by_code["internal_error"].status == 500


@pytest.mark.django_db
def test_documentation_pages(client: Client) -> None:
    answer = client.get("/api/v1/schema")
    assert answer["Content-Type"] == "application/vnd.oai.openapi+json"
    document = json.loads(answer.content)
    assert document["openapi"].startswith("3.1")
    assert client.get("/api/v1/schema", headers={"If-None-Match": answer["ETag"]}).status_code == 304
    for path in ("/api/docs", "/api/docs/reference", "/api/docs/problems"):
        page = client.get(path)
        assert page.status_code == 200, path
        policy = page["Content-Security-Policy"]
        script = next(part for part in policy.split("; ") if part.startswith("script-src"))
        assert "unsafe" not in script
        assert b"<script>" not in page.content
    assert b'id="stale_revision"' in client.get("/api/docs/problems").content


def test_the_document_lists_every_permission() -> None:
    from apps.common.permissions import registry

    text = json.loads(openapi_document())["info"]["description"]
    for declared in registry.all():
        assert f"`{declared.code}`" in text


@pytest.mark.django_db
class TestBatch:
    def _post(self, client: APIClient, *requests: Any) -> Any:
        return client.post("/api/v1/batch", {"requests": list(requests)}, format="json")

    def test_each_has_its_own_status_in_order(self, api: APIClient) -> None:
        answer = self._post(
            api,
            {"method": "GET", "path": "/api/v1/schema"},
            {"method": "GET", "path": "/api/v1/nothing"},
            {"method": "POST", "path": "/api/v1/batch-of-nothing?x=1", "body": {"a": 1}},
        )
        assert answer.status_code == 200, answer.content
        assert [each["status"] for each in answer.json()["responses"]] == [200, 404, 404]
        assert answer.json()["responses"][1]["body"]["code"] == "not_found"

    @pytest.mark.parametrize("path", ["/api/v1/batch", "/api/v1/b%61tch", "/api/v1/batch?x=1", "/api/v1/batch/"])
    def test_no_batch_in_a_batch(self, api: APIClient, path: str) -> None:
        answer = self._post(api, {"method": "POST", "path": path, "body": {"requests": []}})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["code"] == "nested_batch"
        assert answer.json()["errors"][0]["pointer"] == "/requests/0/path"

    @pytest.mark.parametrize("path", ["/admin/", "https://example.com/api/v1/me", "/api/v1/a b", "api/v1/me"])
    def test_only_this_api(self, api: APIClient, path: str) -> None:
        assert self._post(api, {"method": "GET", "path": path}).status_code == 400

    def test_at_most_fifty(self, api: APIClient) -> None:
        one = {"method": "GET", "path": "/api/v1/nothing"}
        assert self._post(api, *[one] * 50).status_code == 200
        assert self._post(api, *[one] * 51).status_code == 400
        assert self._post(api).status_code == 400

    def test_each_is_counted(self, api: APIClient, settings: Any) -> None:
        settings.RATE_API = "3/60"
        one = {"method": "GET", "path": "/api/v1/nothing"}
        answer = self._post(api, *[one] * 4)
        assert [each["status"] for each in answer.json()["responses"]] == [404, 404, 429, 429]

    def test_no_header_that_changes_the_caller(self, api: APIClient) -> None:
        wanted = {"method": "GET", "path": "/api/v1/schema", "headers": {"Authorization": "Bearer x"}}
        assert self._post(api, wanted).json()["errors"][0]["code"] == "unknown_header"


@pytest.mark.django_db
class TestHostileBodies:
    """What the parser refuses, over HTTP."""

    @pytest.mark.parametrize(
        "body",
        [
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b"[" * 100_000 + b"]" * 100_000,
            b'{"a": 1, "a": 2}',
            b"[NaN]",
            b"[Infinity]",
            b"[1e400]",
            b"[123456789012345678901234567890]",
            b'["\\u0000"]',
            b'["\\ud800"]',
            b'["\xff"]',
            b"{",
            b"nothing",
            b"[1] x",
        ],
        ids=range(14),
    )
    def test_fault_66_a_hostile_body_is_400_at_once(self, client: Client, body: bytes) -> None:
        import time

        started = time.perf_counter()
        answer = client.post("/api/v1/batch", body, content_type="application/json")
        assert answer.status_code == 400
        assert answer["Content-Type"] == "application/problem+json"
        assert time.perf_counter() - started < 1

    def test_a_long_body_is_413(self, client: Client) -> None:
        answer = client.post("/api/v1/batch", b'"' + b"x" * 1_100_000 + b'"', content_type="application/json")
        assert answer.status_code == 413
        assert answer["Content-Type"] == "application/problem+json"

    def test_no_body_is_an_empty_object(self, client: Client) -> None:
        for body in (b"", b"  \n"):
            answer = client.post("/api/v1/batch", body, content_type="application/json")
            assert answer.json()["errors"] == [
                {"pointer": "/requests", "code": "required", "detail": "This field is required."}
            ]
