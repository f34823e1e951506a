"""Servers and databases in the consoles: every act by POST, errors beside their field, nothing sealed shown."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.common.actors import SYSTEM
from apps.databases.models import DatabaseServer, WorkspaceDatabase
from apps.databases.services.deletion import delete_database
from apps.databases.tests.factories import suite_dsn
from apps.operations.models import Operation
from apps.workspaces.tests.factories import add_member

SERVERS = "/admin/databases/databaseserver/"
TERMS = {"host": "db.example.com", "port": "5432", "weight": "100", "capacity_gib": "10", "capacity_databases": ""}


def signed_in(person: Any) -> Client:
    browser = Client()
    browser.force_login(person)
    return browser


@pytest.fixture
def operator(make_user: Any) -> Client:
    return signed_in(make_user(is_staff=True))


def test_operator_adds_a_server(operator: Client) -> None:
    assert f"{SERVERS}act/add/" in operator.get(SERVERS).content.decode()
    assert operator.get(f"{SERVERS}act/add/").status_code == 200
    added = operator.post(f"{SERVERS}act/add/", {**TERMS, "name": "second", "dsn": suite_dsn()}, follow=True)
    assert "second takes databases now" in added.content.decode()
    server = DatabaseServer.objects.get()
    assert (server.capacity_bytes, server.capacity_databases) == (10 * 1024**3, None)
    page = operator.get(f"{SERVERS}{server.pk}/change/").content.decode()
    assert server.admin_dsn not in page
    assert operator.get(f"{SERVERS}?admin_dsn__startswith=v1").status_code in {302, 400}


def test_what_is_wrong_stands_beside_its_field(operator: Client) -> None:
    page = operator.post(f"{SERVERS}act/add/", {**TERMS, "name": "x", "dsn": "postgresql://x:hush@127.0.0.1:1/"})
    form = page.context["form"]
    assert form.errors == {"dsn": ["The database server doesn't answer now."]}
    assert "hush" not in page.content.decode()
    assert operator.post(f"{SERVERS}act/add/", {**TERMS, "name": "x", "dsn": "x", "port": "0"}).context["form"].errors
    assert not DatabaseServer.objects.exists()


def test_operator_weighs_drains_and_activates(operator: Client, database_server: Any) -> None:
    base = f"{SERVERS}{database_server.pk}/act/"
    assert 'value="100"' in operator.get(f"{base}change/").content.decode()

    def after(act: str, **fields: str) -> DatabaseServer:
        assert operator.post(f"{base}{act}/", fields).status_code == 302, act
        return DatabaseServer.objects.get(pk=database_server.pk)

    assert after("change", **{**TERMS, "weight": "7", "capacity_databases": "3"}).weight == 7
    assert after("drain").status == "draining"
    assert after("offline").status == "offline"
    assert after("activate").status == "active"
    assert after("look").checked_at
    assert after("change-dsn", dsn=suite_dsn()).error == ""
    assert operator.post(f"{base}change-dsn/", {"dsn": "nonsense"}).context["form"].errors["dsn"]


def test_capacity_is_a_bar(operator: Client, make_database: Any) -> None:
    server = make_database(size_bytes=3 * 1024**3).server
    DatabaseServer.objects.filter(pk=server.pk).update(capacity_bytes=4 * 1024**3, capacity_databases=2)
    page = operator.get(SERVERS).content.decode()
    assert f'max="{4 * 1024**3}"' in page
    assert "1 of 2" in page


def test_members_have_no_table_of_servers(user: Any, workspace: Any, database_server: Any) -> None:
    member = signed_in(user)
    assert member.get(SERVERS).status_code in {302, 403, 404}
    assert member.post(f"{SERVERS}act/add/", {}).status_code in {302, 403, 404}
    assert member.get(f"/admin/w/{workspace.slug}/databases/databaseserver/").status_code == 404


def test_member_makes_rotates_deletes_and_keeps_the_database(
    user: Any, workspace: Any, make_database: Any, database_server: Any
) -> None:
    member, base = signed_in(user), f"/admin/w/{workspace.slug}/databases/workspacedatabase/"
    assert member.post(f"{base}act/create/").status_code == 302
    assert Operation.objects.filter(kind="databases.provision").count() == 1
    WorkspaceDatabase.objects.all().delete()
    database = make_database(workspace)
    page = member.get(f"{base}{database.pk}/change/").content.decode()
    assert database.name in page
    assert database.secret not in page
    assert "already" in member.post(f"{base}act/create/").content.decode()
    row = f"{base}{database.pk}/act/"
    assert member.post(f"{row}rotation/", {"rotation_days": "30"}).status_code == 302
    assert member.post(f"{row}rotate/").status_code == 302
    assert Operation.objects.filter(kind="databases.rotate").count() == 1
    refused = member.post(f"{row}delete/", {"name": "x"})
    assert refused.context["form"].errors == {"name": [f"Type {database.name} to confirm."]}
    assert member.post(f"{row}delete/", {"name": database.name}).status_code == 302
    assert member.post(f"{row}undelete/").status_code == 302
    database.refresh_from_db()
    assert (database.status, database.rotation_days) == ("ready", 30)


def test_members_who_may_not_manage_see_and_can_not_act(workspace: Any, make_database: Any, make_user: Any) -> None:
    viewer, database = make_user(), make_database(workspace)
    add_member(workspace, viewer, "viewer")
    browser, base = signed_in(viewer), f"/admin/w/{workspace.slug}/databases/workspacedatabase/"
    assert database.name in browser.get(base).content.decode()
    assert browser.post(f"{base}{database.pk}/act/rotate/").status_code == 403
    assert browser.post(f"{base}act/create/").status_code == 403


def test_fault_1_another_workspaces_database_is_not_found(
    make_user: Any, make_workspace: Any, make_database: Any
) -> None:
    stranger, database = make_user(), make_database()
    own = make_workspace(owner=stranger)
    browser, base = signed_in(stranger), f"/admin/w/{own.slug}/databases/workspacedatabase/"
    assert database.name not in browser.get(base).content.decode()
    assert browser.post(f"{base}{database.pk}/act/rotate/").status_code in {302, 404}
    assert not Operation.objects.filter(kind="databases.rotate").exists()


def test_operator_keeps_a_database_that_is_being_deleted(operator: Client, make_database: Any) -> None:
    database = make_database()
    delete_database(workspace=database.workspace, actor=SYSTEM, now=timezone.now())
    base = f"/admin/databases/workspacedatabase/{database.pk}/"
    assert "act/undelete" in operator.get(f"{base}change/").content.decode()
    assert operator.post(f"{base}act/undelete/").status_code == 302
    assert operator.get("/admin/databases/workspacedatabase/").status_code == 200
