"""The outbox and its relay."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.events.models import Event
from apps.events.services import RelayedEvent, catalogue, declare_event, emit_event, register_consumer
from apps.events.services.relay import relay_events
from apps.workspaces.tests.test_lifecycle import join

NOW = timezone.now()


@pytest.fixture
def taken(db: None) -> Iterator[list[tuple[str, str]]]:
    """What two consumers got; the second one fails while ``taken`` has ``("fail", …)`` as its first entry."""
    seen: list[tuple[str, str]] = []

    def first(event: RelayedEvent) -> None:
        seen.append(("first", event.type))

    def second(event: RelayedEvent) -> None:
        if seen and seen[0][0] == "fail":
            raise RuntimeError
        seen.append(("second", event.type))

    register_consumer("first", first)
    register_consumer("second", second)
    Event.objects.all().delete()
    yield seen
    for name in ("first", "second"):
        catalogue._consumers.pop(name)


def emit() -> Event:
    return emit_event(type="workspace.updated", workspace_id=None, data={"a": 1}, now=NOW)


def test_every_consumer_gets_it_once(taken: list[tuple[str, str]]) -> None:
    event = emit()
    assert relay_events(now=NOW) == 1
    assert relay_events(now=NOW) == 0
    assert taken == [("first", "workspace.updated"), ("second", "workspace.updated")]
    event.refresh_from_db()
    assert event.relayed_at == NOW


def test_who_fails_gets_it_again_and_the_others_do_not(taken: list[tuple[str, str]]) -> None:
    taken.append(("fail", ""))
    emit()
    relay_events(now=NOW)
    assert taken[1:] == [("first", "workspace.updated")]
    taken.clear()
    assert relay_events(now=NOW) == 0, "not due yet"
    assert relay_events(now=NOW + timedelta(seconds=6)) == 1
    assert taken == [("second", "workspace.updated")]


def test_undeclared_type_is_refused(db: None) -> None:
    with pytest.raises(ValueError, match="Nobody declared"):
        emit_event(type="no.such", workspace_id=None, data={}, now=NOW)
    with pytest.raises(ValueError, match="twice"):
        declare_event("workspace.created", "again")


def test_api_shows_the_workspaces_own(api: Any, workspace: Any, make_workspace: Any, make_user: Any) -> None:
    make_workspace(owner=make_user())
    items = api.get(f"/api/v1/workspaces/{workspace.slug}/events").json()["items"]
    assert {item["workspace"] for item in items} == {str(workspace.pk)}
    assert "workspace.created" in [item["type"] for item in items]
    assert set(items[0]) == {"id", "type", "at", "workspace", "data"}


def test_api_filters(api: Any, workspace: Any) -> None:
    url = f"/api/v1/workspaces/{workspace.slug}/events"
    assert api.get(url, {"type": "no.such"}).json()["items"] == []
    assert api.get(url, {"since": "2100-01-01T00:00:00Z"}).json()["items"] == []
    assert api.get(url, {"since": "yesterday"}).status_code == 400


def test_api_needs_the_permission(workspace: Any, make_user: Any, make_client: Any) -> None:
    viewer, stranger = make_user(), make_user()
    join(workspace, viewer, "viewer")
    url = f"/api/v1/workspaces/{workspace.slug}/events"
    assert make_client(viewer).get(url).status_code == 403
    assert make_client(stranger).get(url).status_code == 404
    assert make_client().get(url).status_code == 401
