"""What members read of visits."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from apps.runtime.services.recording import recorder
from apps.runtime.tests.factories import publish_app
from apps.runtime.tests.test_actions import post_form, post_json, url_of

pytestmark = pytest.mark.django_db


def events_of(api: Any, workspace: Any, **query: Any) -> Any:
    return api.get(f"/api/v1/workspaces/{workspace.slug}/apps/adder/events", query)


def test_events_tell_what_happened(workspace: Any, api: Any, client: Client) -> None:
    publish_app(workspace)
    url = url_of(workspace)
    client.get(f"{url}/schema")
    post_form(client, url)
    post_json(client, url, {"action": "add", "inputs": {"a": "x"}})
    post_json(client, url, {"action": "hidden", "inputs": {}})
    post_json(client, url, {"action": "add", "inputs": {"a": 1, "b": 1}}, headers={"Origin": "https://evil.example"})
    recorder.flush()
    items = events_of(api, workspace).json()["items"]
    seen = [(item["kind"], item["status"]) for item in reversed(items)]
    assert seen == [
        ("schema", 200),
        ("view", 200),
        ("execute", 303),
        ("execute", 422),
        ("error", 404),
        ("denied", 403),
    ]
    executed = next(item for item in items if item["status"] == 303)
    assert executed["run"]
    assert executed["version"] == 1
    assert executed["milliseconds"] > 0
    assert len({item["session"] for item in items}) == 1
    narrowed = events_of(api, workspace, kind="execute", session=executed["session"]).json()["items"]
    assert [item["status"] for item in narrowed] == [422, 303]
    assert events_of(api, workspace, kind="nonsense").status_code == 400


def test_sessions_tell_who_visited(workspace: Any, api: Any, client: Client, user: Any) -> None:
    publish_app(workspace, audience="members")
    client.force_login(user)
    client.get(url_of(workspace), headers={"User-Agent": "Probe/1\x00"})
    client.get(url_of(workspace))
    recorder.flush()
    (session,) = api.get(f"/api/v1/workspaces/{workspace.slug}/apps/adder/sessions").json()["items"]
    assert session["user"] == str(user.pk)
    assert session["user_agent"] == "Probe/1"
    assert session["address"] == "127.0.0.1"


def test_writing_twice_writes_once(workspace: Any, api: Any, client: Client) -> None:
    publish_app(workspace)
    client.get(url_of(workspace))
    waiting = recorder._waiting[workspace.schema_name]
    events, sessions = list(waiting[0]), list(waiting[1])
    recorder.flush()
    recorder._waiting[workspace.schema_name] = (events, sessions)
    recorder.flush()
    assert len(events_of(api, workspace).json()["items"]) == 1


def test_other_workspaces_and_strangers_learn_nothing(
    workspace: Any, api: Any, make_client: Any, make_user: Any, make_workspace: Any
) -> None:
    publish_app(workspace)
    other = make_workspace(owner=make_user())
    publish_app(other, slug="theirs")
    for what in ("events", "sessions"):
        assert api.get(f"/api/v1/workspaces/{other.slug}/apps/theirs/{what}").status_code == 404
        assert api.get(f"/api/v1/workspaces/{workspace.slug}/apps/theirs/{what}").status_code == 404
        assert make_client().get(f"/api/v1/workspaces/{workspace.slug}/apps/adder/{what}").status_code == 401
        assert make_client(make_user()).get(f"/api/v1/workspaces/{workspace.slug}/apps/adder/{what}").status_code == 404
