"""The page: for browsers and for programs, in each state of an app."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.applications.models import App
from apps.common.tenancy import enter
from apps.runtime.services.resolution import resolver
from apps.runtime.tests.factories import adder, publish_app, publish_version

pytestmark = pytest.mark.django_db


def test_a_public_page_is_html_with_a_strict_policy(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    answer = client.get(f"/runtime/{workspace.slug}/adder")
    assert answer.status_code == 200
    html = answer.content.decode()
    assert "<h1>Adder</h1>" in html
    assert "Two numbers, <strong>one</strong> sum." in html
    nonce = re.search(r"'nonce-([^']+)'", answer.headers["Content-Security-Policy"])
    assert nonce
    assert f'nonce="{nonce[1]}"' in html
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert " style=" not in html
    assert "onclick" not in html
    again = client.get(f"/runtime/{workspace.slug}/adder")
    assert nonce[1] not in again.content.decode(), "a nonce is used once"


def test_the_visit_cookie_is_bound_to_the_app(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    answer = client.get(f"/runtime/{workspace.slug}/adder", secure=True)
    cookie = answer.cookies["apprun_visit"]
    assert cookie["path"] == f"/runtime/{workspace.slug}/adder"
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["secure"]
    assert "apprun_visit" not in client.get(f"/runtime/{workspace.slug}/adder", secure=True).cookies


def test_the_older_address_serves_the_same_page(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    answer = client.get(f"/{workspace.slug}/adder")
    assert answer.status_code == 200
    assert answer.cookies["apprun_visit"]["path"] == f"/{workspace.slug}/adder"


def test_ids_work_as_well_as_slugs(workspace: Any, client: Client) -> None:
    app = publish_app(workspace)
    assert client.get(f"/runtime/{workspace.id}/{app.id}").status_code == 200


def test_gzip_is_the_same_page(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    answer = client.get(f"/runtime/{workspace.slug}/adder", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    html = gzip.decompress(answer.content).decode()
    assert html.startswith("<!doctype html>")
    assert html.rstrip().endswith("</html>")
    assert len(answer.content) < len(html) * 0.7


def test_a_program_gets_json(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    answer = client.get(f"/runtime/{workspace.slug}/adder", headers={"Accept": "application/json"})
    body = answer.json()
    assert body["version"] == 1
    assert body["app"]["slug"] == "adder"
    assert list(body["actions"]) == ["add"], "an action without a form is nobody's business"
    assert body["actions"]["add"]["input"]["required"] == ["a", "b"]
    same = client.get(f"/runtime/{workspace.slug}/adder/schema").json()
    assert same["actions"] == body["actions"]
    assert same["csrf"]


@pytest.mark.parametrize(
    ("status", "code"), [("unpublished", 404), ("archived", 410), ("deprecated", 200), ("published", 200)]
)
def test_each_state_of_an_app(workspace: Any, client: Client, status: str, code: int) -> None:
    app = publish_app(workspace, status=status)
    with enter(workspace):
        App.objects.filter(pk=app.pk).update(sunset_at=timezone.now(), deprecated_at=timezone.now())
    answer = client.get(f"/runtime/{workspace.slug}/adder")
    assert answer.status_code == code
    assert answer.headers["Content-Type"].startswith("text/html")
    if status == "deprecated":
        assert answer.headers["Deprecation"].startswith("@")
        assert answer.headers["Sunset"].endswith("GMT")
        assert "being retired" in answer.content.decode()
    problem = client.get(f"/runtime/{workspace.slug}/adder", headers={"Accept": "application/json"})
    assert problem.status_code == code
    if code >= 400:
        assert problem.headers["Content-Type"] == "application/problem+json"
        assert problem.json()["status"] == code


def test_what_is_not_there_is_404(workspace: Any, client: Client) -> None:
    assert client.get("/runtime/no-such-team/adder").status_code == 404
    assert client.get(f"/runtime/{workspace.slug}/no-such-app").status_code == 404
    assert client.get("/no-such-team/no-such-app").status_code == 404


def test_another_workspaces_app_is_not_found_here(
    workspace: Any, make_workspace: Any, make_user: Any, client: Client
) -> None:
    app = publish_app(workspace)
    other = make_workspace(owner=make_user())
    assert client.get(f"/runtime/{other.slug}/adder").status_code == 404
    assert client.get(f"/runtime/{other.slug}/{app.id}").status_code == 404


def test_a_suspended_workspace_says_so_to_nobody_in_particular(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    type(workspace).objects.filter(pk=workspace.pk).update(status="suspended")
    answer = client.get(f"/runtime/{workspace.slug}/adder")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "3600"


def test_fault_23_a_new_release_is_seen_whole_and_within_a_second(workspace: Any, client: Client) -> None:
    app = publish_app(workspace)
    assert "Two numbers" in client.get(f"/runtime/{workspace.slug}/adder").content.decode()
    changed = adder(title="Summer", blocks=[{"kind": "markdown", "text": "Changed."}])
    publish_version(workspace, app, changed)
    resolver.expire()
    html = client.get(f"/runtime/{workspace.slug}/adder").content.decode()
    assert "<h1>Summer</h1>" in html
    assert "Changed." in html
    assert "Two numbers" not in html


def test_methods_that_are_not_there(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    answer = client.put(f"/runtime/{workspace.slug}/adder")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert client.head(f"/runtime/{workspace.slug}/adder").status_code == 200
