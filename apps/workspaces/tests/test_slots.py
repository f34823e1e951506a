"""The pool of schemas, and workers that die while they fill it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.accounts.tests.factories import UserFactory
from apps.common.actors import SYSTEM
from apps.common.schema_ddl import release_fingerprint
from apps.common.tenancy import enter
from apps.operations.models import Operation
from apps.operations.services.sweep import sweep_operations
from apps.workspaces.models import SchemaSlot, Workspace
from apps.workspaces.services.creation import create_workspace
from apps.workspaces.services.filling import fill_pool
from apps.workspaces.services.slots import keep_pool, make_slot
from apps.workspaces.states import SlotStatus
from apps.workspaces.tests.test_lifecycle import schemas
from config.testing.processes import StartWorker, wait_for


def ready() -> int:
    return SchemaSlot.objects.ready(release_fingerprint()).count()


def known_schemas() -> set[str]:
    """Those that a slot or a workspace speaks for."""
    return set(SchemaSlot.objects.exclude(status=SlotStatus.CLAIMED).values_list("schema_name", flat=True)) | set(
        Workspace.objects.values_list("schema_name", flat=True)
    )


@pytest.fixture
def committed(committed_database: str, django_db_blocker: Any) -> Any:
    with django_db_blocker.unblock():
        yield
        connection.close()


@pytest.mark.usefixtures("db")
def test_pool_is_asked_to_be_filled_once() -> None:
    present = ready()
    assert keep_pool(now=timezone.now(), size=present + 3) == 3
    assert keep_pool(now=timezone.now(), size=present + 3) == 0
    assert Operation.objects.filter(kind="workspaces.make_slot").count() == 3


@pytest.mark.usefixtures("db")
def test_broken_slot_is_made_again() -> None:
    slot = SchemaSlot.objects.filter(status=SlotStatus.READY).first()
    assert slot is not None
    SchemaSlot.objects.filter(pk=slot.pk).update(status=SlotStatus.BROKEN, error="x")
    keep_pool(now=timezone.now(), size=0)
    slot.refresh_from_db()
    assert slot.status == SlotStatus.MAKING
    make_slot(slot_id=slot.pk)
    slot.refresh_from_db()
    assert (slot.status, slot.error) == (SlotStatus.READY, "")


@pytest.mark.usefixtures("db")
def test_late_worker_does_not_replace_a_schema_that_is_in_use(workspace: Any) -> None:
    slot = SchemaSlot.objects.get(schema_name=workspace.schema_name)
    make_slot(slot_id=slot.pk)
    assert api_finds_home(workspace)


@pytest.mark.usefixtures("db")
def test_fault_06_broken_slot_is_passed_over() -> None:
    """The oldest ready slot has lost its tables: the workspace gets the next one, and the slot is taken out."""
    slot = SchemaSlot.objects.ready(release_fingerprint()).first()
    assert slot is not None
    with connection.cursor() as cursor:
        cursor.execute(f'DROP SCHEMA "{slot.schema_name}" CASCADE')
    person = UserFactory()
    made = Workspace.objects.get(owner=person)
    assert (made.status, made.schema_name != slot.schema_name) == ("active", True)
    slot.refresh_from_db()
    assert slot.status == SlotStatus.BROKEN
    assert slot.error


@pytest.mark.usefixtures("committed")
def test_fault_06_pool_empty_is_finished_by_a_worker(worker_process: StartWorker) -> None:
    worker = worker_process()
    person = UserFactory()
    SchemaSlot.objects.update(fingerprint="older")
    made = create_workspace(owner=person, name="Later", actor=SYSTEM, now=timezone.now())
    assert made.status == "provisioning"

    def active() -> bool:
        made.refresh_from_db()
        return made.status == "active"

    assert wait_for(active), worker.read_log()
    assert api_finds_home(made)


@pytest.mark.usefixtures("committed")
def test_fault_07_worker_killed_while_making_a_slot_leaves_no_orphan(worker_process: StartWorker) -> None:
    worker = worker_process(include="apps.workspaces.tests.slow_schema")
    keep_pool(now=timezone.now(), size=ready() + 1)
    slot = SchemaSlot.objects.get(status=SlotStatus.MAKING)
    assert wait_for(is_half_way), worker.read_log()
    worker.kill()
    operation = Operation.objects.get(kind="workspaces.make_slot")
    assert operation.status == "running"
    end_orphaned_sessions()
    assert schemas() == known_schemas() - {slot.schema_name}, "the half of a schema is gone with its transaction"

    second = worker_process()
    # What 60 seconds without a heartbeat do:
    Operation.objects.filter(pk=operation.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    sweep_operations(now=timezone.now())

    def is_ready() -> bool:
        slot.refresh_from_db()
        return slot.status == SlotStatus.READY

    assert wait_for(is_ready), second.read_log()
    assert schemas() == known_schemas()


@pytest.mark.usefixtures("committed")
def test_pool_is_filled_by_two_at_once() -> None:
    before = ready()
    assert fill_pool(size=before + 3) == 3
    assert ready() == before + 3
    assert schemas() == known_schemas()


def api_finds_home(workspace: Any) -> bool:
    from apps.applications.models import App

    with enter(workspace):
        return App.objects.filter(slug="home", pk=workspace.default_app_id).exists()


def is_half_way() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'")
        return cursor.fetchone() is not None


def end_orphaned_sessions() -> None:
    """What the server does by itself as soon as it writes to the dead worker's connection."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event = 'PgSleep'"
        )
    assert wait_for(lambda: not is_half_way())
