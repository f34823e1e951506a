"""The search over everything in a console: what may be seen now, and no more than fits a list."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.tests.factories import browser_of
from apps.applications.models import App
from apps.common.tenancy import enter
from apps.workspaces.models import Membership, Role, Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(user: Any) -> Client:
    return browser_of(user)


def search(client: Client, base: str, words: str, **more: str) -> Any:
    return client.get(f"{base}search/", {"s": words, "extended": "1", **more})


def test_members_have_the_search_on_each_page(owner: Client, workspace: Workspace) -> None:
    base = f"/admin/w/{workspace.slug}/"
    for address in (base, f"{base}applications/app/"):
        page = owner.get(address).content.decode()
        assert f'hx-get="{base}search/?extended=1"' in page
        assert 'id="search-input-command"' in page


def test_what_is_found_leads_there(owner: Client, workspace: Workspace) -> None:
    with enter(workspace):
        app = App.objects.get()
    base = f"/admin/w/{workspace.slug}/"
    answer = search(owner, base, "home")
    assert answer.status_code == 200
    assert f"{base}applications/app/{app.pk}/change/" in answer.content.decode()


def test_another_workspaces_rows_are_not_found(
    owner: Client, workspace: Workspace, make_user: Any, make_workspace: Any
) -> None:
    other = make_workspace(owner=make_user())
    with enter(other):
        App.objects.update(name="Zanzibar")
    assert "Zanzibar" not in search(owner, f"/admin/w/{workspace.slug}/", "zanzibar").content.decode()


def test_fault_12_a_changed_role_counts_at_once(owner: Client, user: Any, workspace: Workspace) -> None:
    base = f"/admin/w/{workspace.slug}/"
    assert "auditevent" in search(owner, base, "audit").content.decode()
    viewer = Role.objects.get(workspace=None, code="viewer")
    Membership.objects.filter(workspace=workspace, user=user).update(role=viewer)
    assert "auditevent" not in search(owner, base, "audit").content.decode()


def test_many_rows_are_not_all_read(owner: Client, workspace: Workspace) -> None:
    with enter(workspace):
        App.objects.bulk_create(App(slug=f"plenty-{number}", name="Plenty", draft={}) for number in range(40))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = search(owner, f"/admin/w/{workspace.slug}/", "plenty")
    assert 5 <= answer.content.decode().count("applications/app/") <= 20
    reads = [query["sql"] for query in queries if "plenty" in query["sql"].lower()]
    assert reads
    assert all("LIMIT" in sql for sql in reads)


@pytest.mark.parametrize(
    "given", [{"words": "\x00"}, {"words": "x" * 3000}, {"words": "a", "page": "z"}, {"words": ""}]
)
def test_nonsense_finds_nothing(owner: Client, workspace: Workspace, given: dict[str, str]) -> None:
    answer = search(owner, f"/admin/w/{workspace.slug}/", **given)
    assert answer.status_code in {200, 404}


def test_versions_are_found_under_the_name_of_their_app(workspace: Any, user: Any) -> None:
    client = Client()
    client.force_login(user)
    page = f"/admin/w/{workspace.slug}/applications/app/{workspace.default_app_id}/act/publish/"
    client.post(page, {"note": "Searchable"})
    found = client.get(f"/admin/w/{workspace.slug}/search/?s=searchable&extended=1").content.decode()
    assert "Home v1" in found
    assert "Home publish #1" in found
