"""What visitors did is written for each workspace by itself: one's trouble is nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.utils import OperationalError
from django.test import Client

from apps.common.tenancy import enter
from apps.runtime.models import RuntimeEvent, Session
from apps.runtime.querysets import EventQuerySet
from apps.runtime.services.recording import recorder
from apps.runtime.tests.factories import publish_app
from apps.runtime.tests.test_actions import url_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def other(make_workspace: Any, make_user: Any) -> Any:
    return make_workspace(owner=make_user())


def visit(*workspaces: Any, times: int = 1) -> None:
    for workspace in workspaces:
        publish_app(workspace)
        for _ in range(times):
            assert Client().get(url_of(workspace)).status_code == 200


def written(workspace: Any) -> tuple[int, int]:
    with enter(workspace):
        return RuntimeEvent.objects.count(), Session.objects.count()


def spoil(workspace: Any, **event: Any) -> None:
    events, _ = recorder._waiting[workspace.schema_name]
    events[1] = events[1]._replace(**event)


@pytest.mark.parametrize("bad", [{"status": 10**7}, {"kind": "\ud800"}, {"kind": "x\x00"}, {"app_id": None}])
def test_a_row_that_cant_be_written_is_dropped_alone(workspace: Any, other: Any, bad: dict[str, Any]) -> None:
    visit(workspace, other, times=4)
    spoil(workspace, **bad)
    assert recorder.flush() == 7
    assert written(workspace) == (3, 4)
    assert written(other) == (4, 4)
    assert recorder.flush() == 0


def test_a_session_that_cant_be_written_takes_no_event_with_it(workspace: Any) -> None:
    visit(workspace, times=3)
    _, sessions = recorder._waiting[workspace.schema_name]
    sessions[0] = sessions[0]._replace(user_agent="\udfff")
    assert recorder.flush() == 3
    assert written(workspace) == (3, 2)


def test_a_schema_that_vanished_keeps_no_others_waiting(workspace: Any, other: Any) -> None:
    visit(workspace, other)
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER SCHEMA "{workspace.schema_name}" RENAME TO gone')
    assert recorder.flush() == 1
    assert written(other) == (1, 1)
    assert recorder.flush() == 0


@pytest.mark.parametrize(("problem", "again"), [(OperationalError("away"), 1), (RuntimeError("unforeseen"), 0)])
def test_whatever_goes_wrong_with_one_the_others_are_written(
    workspace: Any, other: Any, monkeypatch: pytest.MonkeyPatch, problem: Exception, again: int
) -> None:
    visit(workspace, other)
    write_all, failed = EventQuerySet.write_all, []

    def fail_once(self: Any, rows: Any) -> None:
        if not failed:
            failed.append(rows)
            raise problem
        write_all(self, rows)

    monkeypatch.setattr(EventQuerySet, "write_all", fail_once)
    assert recorder.flush() == 1
    assert written(other) == (1, 1)
    assert recorder.flush() == again
