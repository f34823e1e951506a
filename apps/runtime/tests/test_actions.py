"""Running an action: from a form without JavaScript, with htmx, and from a program."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from apps.common.tenancy import enter
from apps.runtime.services.resolution import resolver
from apps.runtime.tests.factories import adder, publish_app, publish_version
from apps.workflows.models import Run

pytestmark = pytest.mark.django_db


def url_of(workspace: Any) -> str:
    return f"/runtime/{workspace.slug}/adder"


def form_token(client: Client, url: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get(url).content.decode())
    assert found
    return found[1]


def post_form(client: Client, url: str, *, a: str = "1", b: str = "2", **more: Any) -> Any:
    data = {"csrf": form_token(client, url), "action": "add", "a": a, "b": b}
    headers = more.pop("headers", {})
    return client.post(url, data | more, headers=headers)


def post_json(client: Client, url: str, body: Any, **more: Any) -> Any:
    return client.post(url, json.dumps(body), content_type="application/json", **more)


def test_a_form_is_answered_by_a_redirect_to_its_result(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    url = url_of(workspace)
    answer = post_form(client, url, a="1.5", b="2")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(f"{url}?run=")
    page = client.get(answer.headers["Location"])
    html = page.content.decode()
    assert "3.50" in html
    assert 'value="1.5"' in html, "what was typed stays"
    assert "not on the page" not in html


def test_a_result_is_the_visitors_own(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    address = post_form(client, url_of(workspace)).headers["Location"]
    stranger = Client()
    answer = stranger.get(address)
    assert answer.status_code == 404
    assert "3.00" not in answer.content.decode()
    run = address.split("run=")[1]
    assert client.get(f"{url_of(workspace)}/runs/{run}").json()["outputs"] == {"sum": 3.0}
    assert stranger.get(f"{url_of(workspace)}/runs/{run}").status_code == 404
    assert client.get(f"{url_of(workspace)}/runs/{uuid4()}").status_code == 404
    assert client.get(f"{url_of(workspace)}/runs/nonsense").status_code == 404


def test_a_result_of_one_app_is_not_shown_by_another(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    publish_app(workspace, slug="second")
    run = post_form(client, url_of(workspace)).headers["Location"].split("run=")[1]
    assert client.get(f"/runtime/{workspace.slug}/second/runs/{run}").status_code == 404


def test_htmx_gets_the_blocks_and_the_address(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    answer = post_form(client, url_of(workspace), headers={"HX-Request": "true"})
    html = answer.content.decode()
    assert answer.status_code == 200
    assert html.strip().startswith('<div id="page"')
    assert "3.00" in html
    assert "data-focus" in html
    assert "?run=" in answer.headers["HX-Push-Url"]


def test_errors_stand_beside_the_fields_and_nothing_is_lost(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    answer = post_form(client, url_of(workspace), a="1.000,5", b="")
    html = answer.content.decode()
    assert answer.status_code == 422
    assert 'value="1.000,5"' in html
    assert 'href="#f-add-a"' in html
    assert 'href="#f-add-b"' in html
    field = re.search(r'<input id="f-add-a"[^>]*>', html)
    assert field
    assert 'aria-invalid="true"' in field[0]
    assert 'aria-describedby="f-add-a-error"' in field[0]
    assert 'type="text"' in field[0], "a number field would drop what it can't read"
    assert "Write 1000.5" in html


def test_a_limit_of_the_schema_is_told_by_the_server(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    html = post_form(client, url_of(workspace), a="1000001").content.decode()
    assert "1000000" in re.sub(r"[,\s]", "", html)
    assert html.count('aria-invalid="true"') == 1


def test_a_form_without_its_token_is_not_run(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    url = url_of(workspace)
    client.get(url)
    for token in ("", "x" * 40):
        answer = client.post(url, {"csrf": token, "action": "add", "a": "7", "b": "2"})
        assert answer.status_code == 403
        assert 'value="7"' in answer.content.decode(), "nothing that was typed is lost"
    stranger = Client()
    answer = client.post(url, {"csrf": form_token(stranger, url), "action": "add", "a": "7", "b": "2"})
    assert answer.status_code == 403
    with enter(workspace):
        assert Run.objects.count() == 0


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_another_site_can_neither_send_forms_nor_json(workspace: Any, client: Client, headers: dict[str, str]) -> None:
    publish_app(workspace)
    url = url_of(workspace)
    assert post_form(client, url, headers=headers).status_code == 403
    assert post_json(client, url, {"action": "add", "inputs": {"a": 1, "b": 2}}, headers=headers).status_code == 403


def test_a_program_gets_only_what_the_page_uses(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    answer = post_json(client, url_of(workspace), {"action": "add", "inputs": {"a": 1, "b": 2}})
    body = answer.json()
    assert answer.status_code == 200
    assert body["status"] == "succeeded"
    assert body["outputs"] == {"sum": 3.0}
    with enter(workspace):
        run = Run.objects.get()
    assert str(run.id) == body["run"]
    assert run.outputs["secret"] == "not on the page"
    assert run.trigger == "runtime"


def test_inputs_that_do_not_fit_are_422_with_pointers(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    answer = post_json(client, url_of(workspace), {"action": "add", "inputs": {"a": "x", "c": 1}})
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert "/inputs/a" in pointers
    assert any(pointer.startswith("/inputs") and pointer != "/inputs/a" for pointer in pointers)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("[]", 400),
        ("{", 400),
        ('{"action": 1}', 400),
        ('{"inputs": {}}', 400),
        ('{"action": "add", "inputs": []}', 400),
        ('{"action": "add", "other": 1}', 400),
        ("[" * 100_000, 400),
    ],
)
def test_bodies_that_are_no_request(workspace: Any, client: Client, body: str, status: int) -> None:
    publish_app(workspace)
    answer = client.post(url_of(workspace), body, content_type="application/json")
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_body_of_another_type_is_refused(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    answer = client.post(url_of(workspace), "<a/>", content_type="text/xml", headers={"Accept": "application/json"})
    assert answer.status_code in {400, 415}


@pytest.mark.parametrize("action", ["hidden", "nothing", "__class__", ""])
def test_fault_27_an_action_not_on_the_page_is_404(workspace: Any, client: Client, action: str) -> None:
    publish_app(workspace)
    url = url_of(workspace)
    answer = client.post(url, {"csrf": form_token(client, url), "action": action})
    assert answer.status_code == 404
    if action:
        assert post_json(client, url, {"action": action, "inputs": {}}).status_code == 404


def test_fault_27_an_action_of_another_version_is_404(workspace: Any, client: Client) -> None:
    app = publish_app(workspace)
    url = url_of(workspace)
    token = form_token(client, url)
    publish_version(workspace, app, adder(blocks=[{"kind": "markdown", "text": "Nothing to do."}]))
    resolver.expire()
    assert client.post(url, {"csrf": token, "action": "add", "a": "1", "b": "2"}).status_code == 404
    assert post_json(client, url, {"action": "add", "inputs": {"a": 1, "b": 2}}).status_code == 404


def test_fault_23_a_result_of_another_version_is_not_mixed_into_this_one(workspace: Any, client: Client) -> None:
    app = publish_app(workspace)
    address = post_form(client, url_of(workspace), a="40", b="2").headers["Location"]
    publish_version(workspace, app, adder(title="Summer"))
    resolver.expire()
    html = client.get(address).content.decode()
    assert "42.00" not in html
    assert "another version" in html
    assert 'value="40"' in html


INJECTIONS = [
    "<script>alert(1)</script>",
    "{{ 911*7919 }}{% debug %}",
    "'; drop table runtime_session; --",
    '" onmouseover="alert(1)',
    "inputs.a + 1",
    "${911*7919}",
    "</textarea><script>alert(1)</script>",
]


@pytest.mark.parametrize("word", INJECTIONS)
def test_fault_28_injection_through_inputs_is_inert(workspace: Any, client: Client, word: str) -> None:
    definition = adder(
        blocks=[
            {"kind": "form", "action": "echo"},
            {"kind": "text", "text": {"expr": "result.echo.word"}},
            {"kind": "record", "fields": [{"label": "Word", "value": {"expr": "inputs.word"}}]},
            {"kind": "table", "rows": {"expr": "result.echo.rows"}, "columns": [{"field": "word"}]},
        ]
    )
    definition["actions"] = {
        "echo": {
            "mode": "sync",
            "input": {
                "type": "object",
                "properties": {"word": {"type": "string"}, "more": {"type": "string", "format": "text"}},
            },
            "workflow": {
                "steps": [{"id": "s", "kind": "transform", "set": {"word": {"expr": "inputs.word"}}}],
                "outputs": {"word": {"expr": "steps.s.word"}, "rows": [{"word": {"expr": "inputs.word"}}]},
            },
        }
    }
    publish_app(workspace, definition)
    url = url_of(workspace)
    data = {"csrf": form_token(client, url), "action": "echo", "word": word, "more": word}
    html = client.get(client.post(url, data).headers["Location"]).content.decode()
    assert "<script>alert" not in html
    assert 'onmouseover="' not in html
    assert "7214209" not in html
    answer = post_json(client, url, {"action": "echo", "inputs": {"word": word}})
    assert answer.json()["outputs"]["word"] == word


def test_a_failing_run_tells_what_the_values_did_and_nothing_of_the_app(workspace: Any, client: Client) -> None:
    definition = adder()
    definition["actions"]["add"]["workflow"] = {
        "steps": [{"id": "secret_step", "kind": "transform", "set": {"x": {"expr": "int(inputs.a) / int(inputs.b)"}}}],
        "outputs": {"sum": {"expr": "steps.secret_step.x"}},
    }
    publish_app(workspace, definition)
    url = url_of(workspace)
    body = post_json(client, url, {"action": "add", "inputs": {"a": 1, "b": 0}}).json()
    assert body["status"] == "failed"
    assert body["outputs"] is None
    assert "secret_step" not in json.dumps(body)
    html = client.get(post_form(client, url, a="1", b="0").headers["Location"]).content.decode()
    assert "division by zero" in html
    assert "secret_step" not in html


def test_an_action_that_no_block_shows_lists_its_result(workspace: Any, client: Client) -> None:
    publish_app(workspace, adder(blocks=[{"kind": "form", "action": "add"}]))
    url = url_of(workspace)
    html = client.get(post_form(client, url, a="20", b="2").headers["Location"]).content.decode()
    assert "Sum" in html
    assert "22" in html


def test_results_of_several_actions_stand_side_by_side(workspace: Any, client: Client) -> None:
    definition = adder()
    definition["actions"]["again"] = definition["actions"]["add"]
    definition["page"]["blocks"] += [
        {"kind": "form", "action": "again"},
        {"kind": "metric", "label": "Again", "value": {"expr": "result.again.sum"}, "format": "0.0"},
    ]
    publish_app(workspace, definition)
    url = url_of(workspace)
    first = post_form(client, url, a="1", b="2").headers["Location"].split("run=")[1]
    html = client.get(post_form(client, url, a="5", b="5", action="again", run=first).headers["Location"]).content
    assert b"3.00" in html
    assert b"10.0" in html
