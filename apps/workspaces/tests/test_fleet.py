"""The fleet migrator."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, migrations, transaction

from apps.accounts.tests.factories import UserFactory
from apps.common.schema_ddl import release_fingerprint
from apps.common.schema_migration import applied_migrations, present_release
from apps.common.tenancy import enter
from apps.workspaces.models import SchemaSlot, Workspace
from apps.workspaces.services.fleet import fleet_table, migrate_fleet, plan_fleet
from apps.workspaces.states import SlotStatus
from apps.workspaces.tests.factories import create_test_workspace
from apps.workspaces.tests.next_release import add_note, next_release
from config.env import ROOT
from config.testing.processes import wait_for


def places() -> list[Any]:
    return [*Workspace.objects.with_schema(), *SchemaSlot.objects.filter(status=SlotStatus.READY)]


def has_note(place: Any) -> bool:
    """Whether the schema has the column, its default and the index, all at its own."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = %s AND c.relname = 'audit_auditevent' AND a.attname = 'note'",
            [place.schema_name],
        )
        column = cursor.fetchone()[0]
        cursor.execute(
            "SELECT count(*) FROM pg_indexes WHERE schemaname = %s AND indexname = 'audit_by_note'",
            [place.schema_name],
        )
        return (column, cursor.fetchone()[0]) == (1, 1)


@pytest.fixture
def fleet(db: None) -> list[Any]:
    for _ in range(2):
        create_test_workspace(owner=UserFactory())
    return places()


@pytest.fixture
def committed(committed_database: str, django_db_blocker: Any) -> Any:
    with django_db_blocker.unblock():
        for _ in range(3):
            UserFactory()
        yield committed_database
        connection.close()


def test_nothing_to_do_at_this_release(fleet: list[Any]) -> None:
    assert present_release().fingerprint == release_fingerprint()
    report = migrate_fleet()
    assert (report.migrated, report.failed) == (0, [])
    assert [row.is_present for row in fleet_table()] == [True]


def test_every_schema_gets_what_it_lacks(fleet: list[Any]) -> None:
    release = next_release(add_note())
    report = migrate_fleet(release=release)
    assert (report.migrated, report.failed) == (len(fleet), [])
    for place in places():
        assert has_note(place)
        assert place.fingerprint == release.fingerprint
        assert ("audit", "0002_next_0") in applied_migrations(place.schema_name)
    assert [(row.fingerprint, row.workspaces + row.slots) for row in fleet_table(release=release)] == [
        (release.fingerprint, len(fleet))
    ]


def test_groups_at_different_points_arrive_at_the_same(fleet: list[Any]) -> None:
    first = next_release(add_note())
    late = fleet[0]
    Workspace.objects.exclude(pk=late.pk).update(fingerprint=release_fingerprint())
    with transaction.atomic():
        Workspace.objects.filter(pk=late.pk).update(fingerprint="set aside")
        migrate_fleet(release=first)
        Workspace.objects.filter(pk=late.pk).update(fingerprint=release_fingerprint())
    second = next_release(add_note(), [migrations.RunSQL("COMMENT ON TABLE audit_auditevent IS 'seen'")])
    assert sorted(count for _, count, _ in plan_fleet(release=second)) == [1, len(fleet) - 1]
    migrate_fleet(release=second)
    assert {place.fingerprint for place in places()} == {second.fingerprint}
    assert all(has_note(place) for place in places())


def test_data_migration_runs_in_every_schema(fleet: list[Any]) -> None:
    def rename(apps: Any, editor: Any) -> None:
        apps.get_model("audit", "AuditEvent").objects.update(action="renamed")

    workspace = next(place for place in fleet if isinstance(place, Workspace))
    from apps.audit.services import Target, record_act
    from apps.common.actors import SYSTEM

    with enter(workspace):
        record_act(actor=SYSTEM, action="before", target=Target("x"), now=workspace.created_at)
    report = migrate_fleet(release=next_release([migrations.RunPython(rename)]))
    assert report.migrated == len(fleet)
    from apps.audit.models import AuditEvent

    with enter(workspace):
        assert set(AuditEvent.objects.values_list("action", flat=True)) == {"renamed"}
    assert not AuditEvent.objects.filter(action="renamed").exists(), "the platform's trail is not a workspace's"


def test_failing_canary_leaves_its_group_alone(fleet: list[Any]) -> None:
    report = migrate_fleet(release=next_release([migrations.RunSQL("SELECT 1/0")]))
    assert report.stopped_at_canary
    assert (report.migrated, len(report.failed)) == (0, 1)
    assert "division by zero" in report.failed[0][1]
    assert {place.fingerprint for place in places()} == {release_fingerprint()}
    assert Workspace.objects.exclude(migration_error="").count() == 1
    assert migrate_fleet(release=next_release(add_note())).failed == []
    assert not Workspace.objects.exclude(migration_error="").exists()


def test_one_that_fails_does_not_stop_the_others(fleet: list[Any]) -> None:
    odd = [place for place in fleet if isinstance(place, Workspace)][1]
    with enter(odd), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditevent ADD COLUMN note int")
    report = migrate_fleet(release=next_release(add_note()))
    assert [name for name, _ in report.failed] == [odd.slug]
    assert report.migrated == len(fleet) - 1
    odd.refresh_from_db()
    assert "note" in odd.migration_error


def test_only_canaries(fleet: list[Any]) -> None:
    report = migrate_fleet(release=next_release(add_note()), canaries=2, only_canaries=True)
    assert report.migrated == 2
    assert sum(has_note(place) for place in fleet) == 2


def test_schema_of_a_newer_release_is_left_alone(fleet: list[Any]) -> None:
    migrate_fleet(release=next_release(add_note()))
    report = migrate_fleet()
    assert report.migrated == 0
    assert "audit.0002_next_0" in report.failed[0][1]


def test_command(fleet: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    call_command("migrate_workspaces", plan=True)
    call_command("migrate_workspaces")
    shown = capsys.readouterr().out
    assert "Every schema is at this release." in shown
    assert release_fingerprint() in shown


def test_killed_half_way_is_simply_started_again(committed: str) -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "apps.workspaces.tests.next_release"],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "DATABASE_URL": committed,
            "SECONDS_EACH": "0.5",
        },
    )
    release = next_release(add_note(seconds=0.5))

    def arrived() -> int:
        return sum(place.fingerprint == release.fingerprint for place in places())

    assert wait_for(lambda: arrived() >= 3, seconds=60)
    program.send_signal(signal.SIGKILL)
    program.wait(10)
    total = len(places())
    assert 3 <= arrived() < total
    for place in places():
        assert has_note(place) == (place.fingerprint == release.fingerprint)
    report = migrate_fleet(release=next_release(add_note(seconds=0.5)))
    assert report.failed == []
    assert arrived() == total
    assert all(has_note(place) for place in places())


def test_schema_that_is_worked_in_is_tried_again(committed: str) -> None:
    """Somebody holds a lock for longer than the migrator waits; the others don't wait for it."""
    import threading

    busy = Workspace.objects.order_by("-created_at")[0]
    locked, release_lock = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f'LOCK TABLE "{busy.schema_name}".audit_auditevent IN ACCESS SHARE MODE')
            locked.set()
            release_lock.wait(4)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait(5)
    report = migrate_fleet(release=next_release(add_note()))
    holder.join()
    assert report.failed == []
    assert all(has_note(place) for place in places())
