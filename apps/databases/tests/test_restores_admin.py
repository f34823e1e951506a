"""Kept databases in the consoles: seen by members of their workspace, put back after a typed confirmation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.databases.admin.restores import RESTORE_ACTS
from apps.databases.models import Restore
from apps.databases.states import BackupStatus
from apps.databases.tests.test_restores_api_v1 import make_backup, make_kept
from apps.workspaces.tests.factories import add_member


@pytest.fixture
def database(make_database: Callable[..., Any], workspace: Any) -> Any:
    return make_database(workspace)


def signed_in(person: Any) -> Client:
    browser = Client()
    browser.force_login(person)
    return browser


def test_putting_back_asks_for_the_name_of_the_live_one(make_user: Any, database: Any) -> None:
    operator, kept = signed_in(make_user(is_staff=True)), make_kept(database)
    address = f"/admin/databases/keptdatabase/{kept.pk}/act/put-back/"
    assert address in operator.get(f"/admin/databases/keptdatabase/{kept.pk}/change/").content.decode()
    page = operator.post(address, {"database": kept.name})
    assert f"Type {database.name} to confirm." in page.content.decode()
    assert not Restore.objects.exists()
    assert operator.post(address, {"database": database.name}).status_code == 302
    assert Restore.objects.get().kept == kept
    assert operator.get("/admin/databases/restore/").status_code == 200


def test_member_drops_a_kept_one(user: Any, workspace: Any, database: Any) -> None:
    member, kept = signed_in(user), make_kept(database)
    base = f"/admin/w/{workspace.slug}/databases/keptdatabase/"
    assert kept.name in member.get(base).content.decode()
    assert member.post(f"{base}{kept.pk}/act/drop/").status_code == 302
    before = kept.keep_until
    kept.refresh_from_db()
    assert kept.keep_until < before


def test_members_who_may_not_restore_see_and_can_not_act(workspace: Any, database: Any, make_user: Any) -> None:
    viewer, kept = make_user(), make_kept(database)
    add_member(workspace, viewer, "viewer")
    base = f"/admin/w/{workspace.slug}/databases/keptdatabase/{kept.pk}/"
    browser = signed_in(viewer)
    assert "act/put-back" not in browser.get(f"{base}change/").content.decode()
    assert browser.post(f"{base}act/put-back/", {"database": database.name}).status_code == 403


def test_fault_1_another_workspaces_kept_one_is_not_found(database: Any, make_user: Any, make_workspace: Any) -> None:
    stranger, kept = make_user(), make_kept(database)
    own = make_workspace(owner=stranger)
    base = f"/admin/w/{own.slug}/databases/keptdatabase/"
    browser = signed_in(stranger)
    assert kept.name not in browser.get(base).content.decode()
    assert browser.post(f"{base}{kept.pk}/act/put-back/", {"database": database.name}).status_code in {302, 404}
    assert not Restore.objects.exists()


def test_restoring_is_offered_for_usable_backups_only(database: Any) -> None:
    for act in RESTORE_ACTS:
        assert act.allowed(make_backup(database))
        assert not act.allowed(make_backup(database, status=BackupStatus.FAILED))
