"""Backups and schedules in both consoles."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from apps.databases.models import Backup, BackupSchedule
from apps.databases.tests.factories import run_steps
from apps.databases.tests.test_backups_api_v1 import a_backup
from apps.operations.models import Operation
from apps.workspaces.tests.factories import add_member

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("backup_folder")]


@pytest.fixture
def database(make_database: Any, workspace: Any) -> Any:
    return make_database(workspace)


def signed_in(person: Any) -> Client:
    browser = Client()
    browser.force_login(person)
    return browser


def test_operator_backs_up_proves_and_downloads(make_user: Any, database: Any) -> None:
    operator = signed_in(make_user(is_staff=True))
    schedule = BackupSchedule.objects.get(database=database)
    assert operator.post(f"/admin/databases/backupschedule/{schedule.pk}/act/back-up/", {}).status_code == 302
    operation = Operation.objects.get(kind="databases.backup")
    run_steps(operation)
    backup = Backup.objects.get()
    page = operator.get(f"/admin/databases/backup/{backup.pk}/change/").content.decode()
    assert backup.sealed_key not in page
    assert f"/admin/databases/backup/{backup.pk}/dump/" in page
    given = operator.get(f"/admin/databases/backup/{backup.pk}/dump/")
    assert b"".join(given.streaming_content).startswith(b"PGDMP")
    assert operator.post(f"/admin/databases/backup/{backup.pk}/act/prove/", {}).status_code == 302
    assert Operation.objects.filter(kind="databases.prove").exists()
    assert operator.get("/admin/databases/backup/").status_code == 200


def test_member_changes_the_schedule(user: Any, workspace: Any, database: Any) -> None:
    schedule = BackupSchedule.objects.get(database=database)
    member, base = signed_in(user), f"/admin/w/{workspace.slug}/databases/backupschedule/"
    assert schedule.cron in member.get(base).content.decode()
    address = f"{base}{schedule.pk}/act/change/"
    said = member.post(address, {"cron": "often", "enabled": "on"})
    assert said.status_code == 200
    assert "Five fields" in said.content.decode()
    assert member.post(address, {"cron": "15 4 * * *", "keep_count": "3", "enabled": "on"}).status_code == 302
    schedule.refresh_from_db()
    assert (schedule.cron, schedule.keep_count, schedule.enabled) == ("15 4 * * *", 3, True)


def test_who_may_only_look_gets_no_dump(workspace: Any, database: Any, make_user: Any) -> None:
    viewer, backup = make_user(), a_backup(database)
    add_member(workspace, viewer, "viewer")
    base = f"/admin/w/{workspace.slug}/databases/backup/{backup.pk}/"
    assert signed_in(viewer).get(f"{base}change/").status_code == 200
    assert signed_in(viewer).get(f"{base}dump/").status_code == 404
    assert signed_in(viewer).post(f"{base}act/delete/").status_code == 403


def test_fault_1_another_workspaces_backup_is_not_found(database: Any, make_user: Any, make_workspace: Any) -> None:
    stranger, backup = make_user(), a_backup(database)
    theirs = make_workspace(owner=stranger)
    base = f"/admin/w/{theirs.slug}/databases/backup/"
    browser = signed_in(stranger)
    assert database.name not in browser.get(base).content.decode()
    assert browser.get(f"{base}{backup.pk}/dump/").status_code == 404
