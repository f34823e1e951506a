"""Work that waits in workspaces: claimed once, done in its place, never lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.accounts.tests.factories import UserFactory
from apps.audit.models import AuditEvent
from apps.audit.services import Target, record_act
from apps.common.actors import SYSTEM
from apps.common.tenancy import current_schema, enter
from apps.workspaces.models import DueWork
from apps.workspaces.services.due_work import (
    DueItem,
    cancel_work,
    do_due_work,
    hasten_work,
    register_due_kind,
    schedule_work,
    sweep_due_work,
)
from apps.workspaces.tests.factories import create_test_workspace
from apps.workspaces.tests.slow_due_work import KIND as SLOW
from config.testing.processes import StartWorker, wait_for

KIND = "test.note"
NOW = timezone.now()
TICK = timedelta(microseconds=1)


class Notes:
    """A handler that remembers what it was told, and answers what it is told to."""

    def __init__(self) -> None:
        self.items: list[tuple[str, str]] = []
        self.answer: Any = None

    def __call__(self, item: DueItem) -> datetime | None:
        self.items.append((item.target, current_schema()))
        answer = self.answer(item) if callable(self.answer) else self.answer
        if isinstance(answer, Exception):
            raise answer
        return answer


_notes = Notes()
register_due_kind(KIND, _notes)


@pytest.fixture
def notes() -> Notes:
    _notes.items, _notes.answer = [], None
    return _notes


def scheduled(workspace: Any, target: str = "", due_at: datetime = NOW) -> DueWork:
    schedule_work(workspace_id=workspace.pk, kind=KIND, target=target, due_at=due_at)
    DueWork.objects.exclude(kind=KIND).delete()  # what every workspace is born with
    return DueWork.objects.get(workspace=workspace, kind=KIND, target=target)


def claimed(row: DueWork) -> datetime:
    row.refresh_from_db()
    assert row.claimed_until is not None
    return row.claimed_until


def do(row: DueWork, now: datetime = NOW) -> bool:
    return do_due_work(due_work_id=row.pk, claim=claimed(row), now=now)


@pytest.mark.django_db
def test_work_is_due_from_its_moment_on(workspace: Any) -> None:
    row = scheduled(workspace, due_at=NOW)
    assert sweep_due_work(now=NOW - TICK) == 0
    assert sweep_due_work(now=NOW) == 1
    assert claimed(row) == NOW + settings.DUE_WORK_LEASE


@pytest.mark.django_db
def test_the_handler_runs_in_the_workspace_and_what_is_done_is_gone(workspace: Any, notes: Notes) -> None:
    row = scheduled(workspace, "run:1")
    sweep_due_work(now=NOW)
    assert do(row)
    assert notes.items == [("run:1", workspace.schema_name)]
    assert current_schema() == "public"
    assert not DueWork.objects.filter(pk=row.pk).exists()


@pytest.mark.django_db
def test_a_handler_may_be_called_again_later(workspace: Any, notes: Notes) -> None:
    row = scheduled(workspace)
    notes.answer = NOW + timedelta(days=1)
    sweep_due_work(now=NOW)
    assert do(row)
    assert sweep_due_work(now=NOW + timedelta(days=1) - TICK) == 0
    assert sweep_due_work(now=NOW + timedelta(days=1)) == 1


@pytest.mark.django_db
def test_claimed_work_is_nobody_elses_until_its_lease_has_run_out(workspace: Any, notes: Notes) -> None:
    row = scheduled(workspace)
    sweep_due_work(now=NOW)
    first = claimed(row)
    assert sweep_due_work(now=first - TICK) == 0
    assert sweep_due_work(now=first) == 1
    assert not do_due_work(due_work_id=row.pk, claim=first, now=first), "a late message of the earlier claim"
    assert do(row, now=first)
    assert not do_due_work(due_work_id=row.pk, claim=first, now=first)
    assert len(notes.items) == 1


@pytest.mark.django_db
def test_what_is_scheduled_while_its_handler_runs_is_not_lost(workspace: Any, notes: Notes) -> None:
    row = scheduled(workspace, "run:1")
    again = NOW + timedelta(hours=1)

    def reschedule(item: DueItem) -> None:
        schedule_work(workspace_id=workspace.pk, kind=KIND, target="run:1", due_at=again)

    notes.answer = reschedule
    sweep_due_work(now=NOW)
    assert do(row)
    present = DueWork.objects.get(workspace=workspace, kind=KIND)
    assert (present.due_at, present.claimed_until) == (again, None)


@pytest.mark.django_db
def test_a_target_is_due_once_and_the_last_word_counts(workspace: Any) -> None:
    scheduled(workspace, "run:1", due_at=NOW)
    scheduled(workspace, "run:1", due_at=NOW + timedelta(hours=1))
    scheduled(workspace, "run:2", due_at=NOW)
    assert sweep_due_work(now=NOW) == 1
    assert cancel_work(workspace_id=workspace.pk, kind=KIND, target="run:1")
    assert not cancel_work(workspace_id=workspace.pk, kind=KIND, target="run:1")


@pytest.mark.django_db
def test_a_handler_that_fails_is_tried_again_with_growing_pauses(workspace: Any, notes: Notes) -> None:
    row, moment, pauses = scheduled(workspace), NOW, []
    notes.answer = OSError("the disk is full")
    for _ in range(12):
        assert sweep_due_work(now=moment) == 1
        assert not do(row, now=moment)
        row.refresh_from_db()
        pauses.append(row.due_at - moment)
        moment = row.due_at
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (timedelta(seconds=15), settings.DUE_WORK_BACKOFF_MAX)
    assert (row.failures, row.error) == (12, "OSError: the disk is full")
    notes.answer = moment + timedelta(days=1)
    sweep_due_work(now=moment)
    assert do(row, now=moment)
    row.refresh_from_db()
    assert (row.failures, row.error) == (0, "")


@pytest.mark.django_db
def test_an_operator_hastens_what_waits_from_the_console(workspace: Any, client: Any) -> None:
    client.force_login(UserFactory(is_staff=True))
    row = scheduled(workspace, due_at=timezone.now() + timedelta(hours=1))
    page = client.get("/admin/workspaces/duework/")
    assert (page.status_code, KIND in page.content.decode()) == (200, True)
    act = f"/admin/workspaces/duework/{row.pk}/act/hasten/"
    assert client.get(act).status_code == 200
    row.refresh_from_db()
    assert row.due_at > timezone.now(), "looking at what would be done does nothing"
    assert client.post(act).status_code == 302
    row.refresh_from_db()
    assert row.due_at <= timezone.now()
    assert not hasten_work(due_work_id=row.pk, now=timezone.now())


@pytest.mark.django_db
def test_a_kind_that_this_release_does_not_know_waits_for_one_that_does(workspace: Any) -> None:
    DueWork.objects.create(workspace=workspace, kind="of.tomorrow", due_at=NOW)
    assert sweep_due_work(now=NOW) == 0
    with pytest.raises(ValueError, match="Nobody handles"):
        schedule_work(workspace_id=workspace.pk, kind="of.tomorrow", due_at=NOW)


@pytest.mark.django_db
def test_a_workspace_that_is_being_purged_or_has_no_schema_yet_is_left_alone(workspace: Any) -> None:
    scheduled(workspace)
    type(workspace).objects.filter(pk=workspace.pk).update(purge_started_at=NOW)
    assert sweep_due_work(now=NOW) == 0
    type(workspace).objects.filter(pk=workspace.pk).update(purge_started_at=None, status="failed", fingerprint="")
    assert sweep_due_work(now=NOW) == 0


@pytest.mark.django_db
def test_work_is_scheduled_with_the_change_that_it_belongs_to(workspace: Any) -> None:
    with pytest.raises(RuntimeError), transaction.atomic(), enter(workspace):
        schedule_work(workspace_id=workspace.pk, kind=KIND, due_at=NOW)
        raise RuntimeError
    assert not DueWork.objects.filter(kind=KIND).exists()


def test_two_sweeps_take_different_rows_and_wait_for_nobody(committed_database: str) -> None:
    workspace = create_test_workspace(owner=UserFactory())
    held, free = scheduled(workspace, "1"), scheduled(workspace, "2")
    with psycopg.connect(committed_database) as other:
        other.execute("SELECT 1 FROM workspaces_duework WHERE id = %s FOR UPDATE", [held.pk])
        assert sweep_due_work(now=NOW) == 1
        assert claimed(free)
    assert sweep_due_work(now=NOW) == 1
    assert claimed(held)


def test_retention_of_a_workspace_that_is_killed_in_the_middle_is_gone_on_with(
    committed_database: str, worker_process: StartWorker, tmp_path: Path
) -> None:
    workspace = create_test_workspace(owner=UserFactory())
    now = timezone.now()
    with enter(workspace):
        for _ in range(3):
            at = now - settings.AUDIT_RETENTION - timedelta(days=1)
            record_act(actor=SYSTEM, action="test.old", target=Target(kind="t"), now=at)
    hold = tmp_path / "hold"
    hold.touch()
    schedule_work(workspace_id=workspace.pk, kind=SLOW, target=str(tmp_path), due_at=now)
    worker = worker_process(include="apps.workspaces.tests.slow_due_work")
    sweep_due_work(now=now)
    assert wait_for((tmp_path / "begun").exists), worker.read_log()
    worker.kill()
    assert _old_acts(workspace) == 2
    hold.unlink()
    row = DueWork.objects.get(kind=SLOW)
    assert sweep_due_work(now=now) == 0, "the dead worker's claim stands until its lease has run out"
    DueWork.objects.filter(pk=row.pk).update(claimed_until=now)
    worker_process(include="apps.workspaces.tests.slow_due_work")
    sweep_due_work(now=now)
    assert wait_for(lambda: not DueWork.objects.filter(kind=SLOW).exists())
    assert _old_acts(workspace) == 0
    with enter(workspace):
        counts = AuditEvent.objects.filter(action="audit.forget").values_list("changes", flat=True)
        assert sum(change["acts"] for change in counts) == 3


def _old_acts(workspace: Any) -> int:
    with enter(workspace):
        return AuditEvent.objects.filter(action="test.old").count()
