"""What is forgotten in workspaces: daily, each at its own time, at the border of what is kept."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as platform
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.audit.services import Target, record_act
from apps.audit.services.retention import shorten_platform_trail
from apps.common.actors import SYSTEM
from apps.common.ids import new_id
from apps.common.tenancy import enter
from apps.runtime.models import RuntimeEvent, Session
from apps.workspaces.models import DueWork, Workspace
from apps.workspaces.services.due_work import do_due_work, sweep_due_work
from apps.workspaces.services.retention import KIND, begin_missing_retention, next_run

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
TICK = timedelta(milliseconds=1)


@pytest.fixture
def later() -> datetime:
    """A time so far ahead that rows made now, with keys of now, may be as old as they like."""
    return timezone.now() + platform.AUDIT_RETENTION + 2 * DAY


def run_retention(workspace: Any, now: datetime) -> DueWork:
    """Sweep and do this workspace's daily run as if it were ``now``."""
    DueWork.objects.exclude(workspace=workspace).delete()
    DueWork.objects.filter(workspace=workspace, kind=KIND).update(due_at=now)
    assert sweep_due_work(now=now) == 1
    row = DueWork.objects.get(workspace=workspace, kind=KIND)
    assert row.claimed_until is not None
    assert do_due_work(due_work_id=row.pk, claim=row.claimed_until, now=now)
    row.refresh_from_db()
    return row


def event(at: datetime) -> RuntimeEvent:
    return RuntimeEvent.objects.create(app_id=new_id(), kind="view", status=200, milliseconds=1, at=at)


def session(expires_at: datetime) -> Session:
    return Session.objects.create(
        app_id=new_id(), started_at=expires_at, last_seen_at=expires_at, expires_at=expires_at
    )


def test_what_visitors_did_is_kept_up_to_the_border(workspace: Any, later: datetime) -> None:
    with enter(workspace):
        events = [event(later - platform.RUNTIME_EVENT_RETENTION + beside) for beside in (-TICK, 0 * TICK, TICK)]
        visits = [session(later - platform.RUNTIME_SESSION_RETENTION + beside) for beside in (-TICK, 0 * TICK, TICK)]
    row = run_retention(workspace, later)
    with enter(workspace):
        assert set(RuntimeEvent.objects.all()) == set(events[1:])
        assert set(Session.objects.all()) == set(visits[1:])
    assert (row.due_at, row.claimed_until) == (next_run(workspace.pk, later), None)


def test_acts_are_kept_up_to_the_border_and_forgetting_is_one(workspace: Any, later: datetime) -> None:
    border = later - platform.AUDIT_RETENTION

    def act(name: str, at: datetime) -> None:
        record_act(actor=SYSTEM, action=name, target=Target(kind="t"), now=at)

    with enter(workspace):
        for name, at in (("old", border - TICK), ("at", border), ("new", border + TICK)):
            act(f"test.{name}", at)
    run_retention(workspace, later)
    with enter(workspace):
        left = set(AuditEvent.objects.values_list("action", flat=True))
    assert {"test.at", "test.new", "audit.forget"} <= left
    assert "test.old" not in left

    act("test.old", border - TICK)
    act("test.at", border)
    assert shorten_platform_trail(now=later) >= 1
    left = set(AuditEvent.objects.values_list("action", flat=True))
    assert {"test.at", "audit.forget"} <= left
    assert "test.old" not in left
    assert shorten_platform_trail(now=later) == 0


def test_another_workspaces_rows_are_not_touched(user: Any, make_workspace: Any, later: datetime) -> None:
    one, other = make_workspace(owner=user, name="one"), make_workspace(owner=user, name="other")
    for workspace in (one, other):
        with enter(workspace):
            event(later - platform.RUNTIME_EVENT_RETENTION - DAY)
    run_retention(one, later)
    with enter(one):
        assert not RuntimeEvent.objects.exists()
    with enter(other):
        assert RuntimeEvent.objects.count() == 1


def test_a_run_that_ran_out_of_time_goes_on_at_once(workspace: Any, settings: Any, later: datetime) -> None:
    settings.RETENTION_BATCH, settings.RETENTION_RUN = 2, timedelta(0)
    with enter(workspace):
        for _ in range(5):
            event(later - platform.RUNTIME_EVENT_RETENTION - DAY)
    for left in (3, 1):
        assert run_retention(workspace, later).due_at <= later + timedelta(seconds=1)
        with enter(workspace):
            assert RuntimeEvent.objects.count() == left
    for _ in range(20):
        if run_retention(workspace, later).due_at > later + timedelta(seconds=1):
            break
    else:
        pytest.fail("it never came to its end")


def test_a_new_workspace_has_its_daily_run_within_a_day(workspace: Any) -> None:
    row = DueWork.objects.get(workspace=workspace, kind=KIND)
    assert timedelta(0) < row.due_at - timezone.now() <= DAY


def test_workspaces_without_a_daily_run_get_one_and_the_others_keep_theirs(user: Any, make_workspace: Any) -> None:
    one, other = make_workspace(owner=user, name="one"), make_workspace(owner=user, name="other")
    DueWork.objects.filter(workspace=one).delete()
    kept = timezone.now() + timedelta(hours=3)
    DueWork.objects.filter(workspace=other).update(due_at=kept)
    now = timezone.now()
    assert begin_missing_retention(now=now) == 1
    assert DueWork.objects.get(workspace=one, kind=KIND).due_at == next_run(one.pk, now)
    assert DueWork.objects.get(workspace=other, kind=KIND).due_at == kept
    assert begin_missing_retention(now=now) == 0


def test_a_workspace_without_a_schema_gets_no_daily_run(workspace: Any) -> None:
    DueWork.objects.filter(workspace=workspace).delete()
    Workspace.objects.filter(pk=workspace.pk).update(status="failed", fingerprint="")
    begin_missing_retention(now=timezone.now())
    assert not DueWork.objects.filter(workspace=workspace).exists()


def test_runs_are_spread_over_the_day_and_come_back_at_the_same_time() -> None:
    now = timezone.now()
    times = {uuid4(): now for _ in range(2400)}
    hours = Counter(next_run(found, now).hour for found in times)
    assert len(hours) == 24
    assert max(hours.values()) < 200
    for found in list(times)[:50]:
        first = next_run(found, now)
        assert now < first <= now + DAY
        assert next_run(found, first) == first + DAY
