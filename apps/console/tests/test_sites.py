"""The two consoles: who gets in, what they find, that nothing is another workspace's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.tests.factories import act_as, browser_of
from apps.applications.models import App
from apps.audit.models import AuditEvent
from apps.common.admin import platform_site, workspace_site
from apps.common.permissions import resolver
from apps.common.tenancy import current_schema, enter, enter_public
from apps.workspaces.models import Invitation, Membership, Role, Workspace
from apps.workspaces.services.invitations import invite_member
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Callable[[Any], Client]:
    """``browser(person)`` is signed in as that person."""
    return browser_of


@pytest.fixture
def operator(make_user: Callable[..., Any]) -> Any:
    return make_user(is_staff=True)


PLATFORM_TABLES = sorted(f"{model._meta.app_label}/{model._meta.model_name}" for model in platform_site._registry)
WORKSPACE_TABLES = sorted(f"{model._meta.app_label}/{model._meta.model_name}" for model in workspace_site._registry)


@pytest.mark.parametrize("table", PLATFORM_TABLES)
def test_operator_finds_every_table(browser: Any, operator: Any, workspace: Workspace, table: str) -> None:
    client = browser(operator)
    assert client.get(f"/admin/{table}/").status_code == 200
    assert client.get(f"/admin/{table}/?q=acme").status_code == 200


@pytest.mark.parametrize("table", WORKSPACE_TABLES)
def test_owner_finds_every_table(browser: Any, user: Any, workspace: Workspace, table: str) -> None:
    client = browser(user)
    address = f"/admin/w/{workspace.slug}/{table}/"
    assert client.get(address).status_code == 200
    assert client.get(f"{address}?q=acme").status_code == 200
    assert current_schema() == "public"


@pytest.mark.parametrize("table", PLATFORM_TABLES)
def test_nothing_on_the_platform_is_edited_in_place(browser: Any, operator: Any, table: str) -> None:
    assert browser(operator).get(f"/admin/{table}/add/").status_code == 403


def test_bare_address_leads_everybody_to_their_console(browser: Any, operator: Any, user: Any) -> None:
    assert browser(operator).get("/")["Location"] == "/admin/"
    assert browser(user).get("/")["Location"] == "/admin/w/"
    assert Client().get("/")["Location"] == "/accounts/login/?next=/"


def test_account_page_leads_to_the_workspaces(browser: Any, user: Any) -> None:
    assert re.search(r'<a href="/">\s*<span>Your workspaces</span>', browser(user).get("/accounts/").content.decode())


def test_pages_are_called_what_they_show(browser: Any, user: Any, workspace: Workspace) -> None:
    client, base = browser(user), f"/admin/w/{workspace.slug}/"
    assert f"<title>{workspace.name} | AppRun</title>" in _one_line(client.get(base))
    assert "<title>Apps | AppRun</title>" in _one_line(client.get(f"{base}applications/app/"))


def _one_line(response: Any) -> str:
    return (
        re.sub(r"\s+", " ", response.content.decode()).replace("<title> ", "<title>").replace(" </title>", "</title>")
    )


def test_members_are_no_operators(browser: Any, user: Any) -> None:
    response = browser(user).get("/admin/")
    assert response.status_code in {302, 403}
    assert "People" not in response.content.decode()


def test_nobody_signs_in_first(workspace: Workspace) -> None:
    response = Client().get(f"/admin/w/{workspace.slug}/")
    assert response.status_code == 302
    assert response["Location"] == f"/accounts/login/?next=%2Fadmin%2Fw%2F{workspace.slug}%2F"


def test_stranger_learns_nothing_of_a_workspace(browser: Any, make_user: Any, workspace: Workspace) -> None:
    client = browser(make_user())
    existing = client.get(f"/admin/w/{workspace.slug}/")
    missing = client.get("/admin/w/no-such-place/")
    assert (existing.status_code, missing.status_code) == (404, 404)
    assert _without_ids(existing) == _without_ids(missing)


def _without_ids(response: Any) -> str:
    return re.sub(r"[0-9a-f]{32}", "", response.content.decode())


def test_viewer_sees_apps_and_no_audit(browser: Any, make_user: Any, workspace: Workspace) -> None:
    viewer = make_user()
    add_member(workspace, viewer, "viewer")
    client = browser(viewer)
    assert client.get(f"/admin/w/{workspace.slug}/applications/app/").status_code == 200
    assert client.get(f"/admin/w/{workspace.slug}/audit/auditevent/").status_code == 403
    assert "Audit trail" not in client.get(f"/admin/w/{workspace.slug}/").content.decode()


def test_viewer_is_offered_no_act_and_can_do_none(
    browser: Any, make_user: Any, user: Any, workspace: Workspace
) -> None:
    viewer = make_user()
    add_member(workspace, viewer, "viewer")
    client = browser(viewer)
    with enter(workspace):
        home = workspace.default_app_id
    page = f"/admin/w/{workspace.slug}/applications/app/{home}/"
    assert "Publish the draft" not in client.get(f"{page}change/").content.decode()
    assert client.post(f"{page}act/publish/", {"note": ""}).status_code == 403
    assert "Publish the draft" in browser(user).get(f"{page}change/").content.decode()


def test_rows_of_another_workspace_are_not_found(
    browser: Any, user: Any, make_user: Any, make_workspace: Any, workspace: Workspace
) -> None:
    other = make_workspace(owner=make_user())
    client = browser(user)
    base = f"/admin/w/{workspace.slug}"
    foreign = Membership.objects.get(workspace=other)
    assert client.get(f"{base}/workspaces/membership/{foreign.pk}/change/").status_code in {302, 404}
    assert client.post(f"{base}/workspaces/membership/{foreign.pk}/act/remove/").status_code == 404
    listed = client.get(f"{base}/workspaces/membership/").content.decode()
    assert str(foreign.user) not in listed
    assert client.get(f"{base}/applications/app/{other.default_app_id}/change/").status_code in {302, 404}


def test_links_stay_inside_the_workspace(browser: Any, user: Any, workspace: Workspace) -> None:
    page = browser(user).get(f"/admin/w/{workspace.slug}/applications/app/").content.decode()
    assert f"/admin/w/{workspace.slug}/applications/app/{workspace.default_app_id}/change/" in page


def test_switcher_finds_my_workspaces_only(browser: Any, user: Any, make_user: Any, make_workspace: Any) -> None:
    mine = make_workspace(owner=user, name="Orchard")
    make_workspace(owner=make_user(), name="Orchid")
    page = browser(user).get("/admin/w/?all&q=orch").content.decode()
    assert f"/admin/w/{mine.slug}/" in page
    assert "Orchid" not in page


# --- An operator's visit ------------------------------------------------------------------------------------------


def test_operator_says_why_and_both_trails_tell_it(browser: Any, operator: Any, workspace: Workspace) -> None:
    client = browser(operator)
    door = f"/admin/w/{workspace.slug}/visit/"
    assert client.get(f"/admin/w/{workspace.slug}/")["Location"].startswith(door)
    refused = client.post(door, {"reason": "", "next": ""})
    assert refused.status_code == 200
    assert client.get(f"/admin/w/{workspace.slug}/").status_code == 302
    opened = client.post(door, {"reason": "A run hangs, they asked for help", "next": "https://evil.example/"})
    assert opened["Location"] == f"/admin/w/{workspace.slug}/"
    assert client.get(f"/admin/w/{workspace.slug}/").status_code == 200
    for place in (workspace, None):
        with enter(place) if place else enter_public():
            act = AuditEvent.objects.get(action="workspace.visited")
            assert act.changes["reason"][1] == "A run hangs, they asked for help"
            assert act.actor_id == operator.pk


def test_visit_ends_by_itself(browser: Any, operator: Any, workspace: Workspace) -> None:
    client = browser(operator)
    client.post(f"/admin/w/{workspace.slug}/visit/", {"reason": "They asked for help", "next": ""})
    session = client.session
    visits = session["console_visits"]
    visits[workspace.slug]["until"] = "2020-01-01T00:00:00+00:00"
    session["console_visits"] = visits
    session.save()
    assert client.get(f"/admin/w/{workspace.slug}/").status_code == 302


def test_visitor_by_office_looks_and_does_not_publish(browser: Any, operator: Any, workspace: Workspace) -> None:
    client = browser(operator)
    client.post(f"/admin/w/{workspace.slug}/visit/", {"reason": "They asked for help", "next": ""})
    assert client.get(f"/admin/w/{workspace.slug}/audit/auditevent/").status_code == 200
    page = f"/admin/w/{workspace.slug}/workspaces/membership/"
    member = Membership.objects.get(workspace=workspace)
    assert client.post(f"{page}{member.pk}/act/remove/").status_code == 403


# --- Acts ---------------------------------------------------------------------------------------------------------


def test_act_is_confirmed_before_it_is_done(browser: Any, operator: Any, workspace: Workspace) -> None:
    client = browser(operator)
    act = f"/admin/workspaces/workspace/{workspace.pk}/act/suspend/"
    assert client.get(act).status_code == 200
    workspace.refresh_from_db()
    assert workspace.status == "active"
    assert "This field is required" in client.post(act, {"reason": ""}).content.decode()
    done = client.post(act, {"reason": "Unpaid"}, follow=True)
    workspace.refresh_from_db()
    assert workspace.status == "suspended"
    assert "is suspended" in done.content.decode()


def test_act_that_a_rule_refuses_shows_the_rule(browser: Any, user: Any, workspace: Workspace) -> None:
    owner = Membership.objects.get(workspace=workspace)
    response = browser(user).post(f"/admin/w/{workspace.slug}/workspaces/membership/{owner.pk}/act/suspend/")
    assert response.status_code == 200
    owner.refresh_from_db()
    assert owner.status == "active"
    assert "owner" in response.content.decode()


def test_publish_from_the_console(browser: Any, user: Any, workspace: Workspace) -> None:
    page = f"/admin/w/{workspace.slug}/applications/app/{workspace.default_app_id}"
    done = browser(user).post(f"{page}/act/publish/", {"note": "First"}, follow=True)
    assert "is live" in done.content.decode()
    with enter(workspace):
        assert App.objects.get(pk=workspace.default_app_id).status == "published"


def test_list_act_reports_each_row(browser: Any, user: Any, workspace: Workspace, make_user: Any) -> None:
    grant = resolver().grant_for(act_as(user), workspace.slug)
    assert grant is not None
    rows = [
        invite_member(
            workspace_id=workspace.pk,
            email=f"guest{number}@example.com",
            role="viewer",
            actor=act_as(user),
            grant=grant,
            now=timezone.now(),
        )
        for number in range(2)
    ]
    Invitation.objects.filter(pk=rows[0].pk).update(status="expired")
    chosen = {"action": "revoke", "_selected_action": [str(row.pk) for row in rows]}
    page = browser(user).post(f"/admin/w/{workspace.slug}/workspaces/invitation/", chosen, follow=True).content.decode()
    assert "The invitation of guest1@example.com is revoked." in page
    assert "guest0@example.com: Revoke doesn" in page


def test_json_and_secrets_on_a_detail_page(browser: Any, user: Any, workspace: Workspace) -> None:
    page = browser(user).get(f"/admin/w/{workspace.slug}/applications/app/{workspace.default_app_id}/change/")
    assert "console-json" in page.content.decode()
    policy = browser(user).get(f"/admin/w/{workspace.slug}/applications/accesspolicy/").content.decode()
    assert "password_hash" not in policy


PASSWORD = "correct horse 42"


@pytest.mark.parametrize("site", ["/admin/login/", "/admin/w/{slug}/login/"])
def test_consoles_have_no_sign_in_of_their_own(
    browser: Any, make_user: Any, user: Any, operator: Any, workspace: Workspace, site: str
) -> None:
    """A form of theirs would ask for no second factor, and count no tries."""
    victim = make_user(is_staff=True)
    address = site.format(slug=workspace.slug)
    for person in (user, operator):
        client = browser(person)
        client.post(address, {"username": victim.email, "password": PASSWORD})
        assert client.session["_auth_user_id"] == str(person.pk)


@pytest.mark.parametrize("site", ["/admin/", "/admin/w/{slug}/"])
def test_consoles_leave_passwords_to_the_account_pages(
    browser: Any, make_user: Any, workspace: Workspace, site: str
) -> None:
    """There a change is counted, told and recorded."""
    person = make_user(is_staff=True)
    add_member(workspace, person, "viewer")
    client = browser(person)
    address = site.format(slug=workspace.slug) + "password_change/"
    new = "another good phrase 43"
    response = client.post(address, {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    person.refresh_from_db()
    assert person.check_password(PASSWORD)
    assert (response.status_code, response["Location"]) == (302, "/accounts/password/change/")


def test_console_lists_cannot_be_asked_for_what_they_do_not_show(
    browser: Any, make_user: Any, operator: Any, workspace: Workspace
) -> None:
    """A filter in the address on a hidden column would tell it, letter by letter."""
    viewer = make_user()
    add_member(workspace, viewer, "viewer")
    policies = f"/admin/w/{workspace.slug}/applications/accesspolicy/"
    for client, table, column in (
        (browser(viewer), policies, "link_token"),
        (browser(viewer), policies, "password_hash"),
        (browser(operator), "/admin/accounts/user/", "password"),
        (browser(operator), "/admin/accounts/refreshtoken/", "session_key"),
    ):
        assert client.get(table).status_code == 200
        assert client.get(f"{table}?{column}__startswith=a").status_code == 400
        assert client.get(f"{table}?{column}=a").status_code == 400


@pytest.mark.parametrize("status", ["suspended", "closing", "closed"])
def test_a_workspace_that_is_not_active_is_only_read_in_its_console(
    browser: Any, user: Any, make_user: Any, workspace: Workspace, status: str
) -> None:
    member = add_member(workspace, make_user(), "viewer")
    with enter(workspace):
        app = App.objects.get()
    Workspace.objects.filter(pk=workspace.pk).update(status=status, purge_after=timezone.now())
    client = browser(user)
    address = f"/admin/w/{workspace.slug}/applications/app/{app.pk}"
    assert "/act/" not in client.get(f"{address}/change/").content.decode()
    assert client.post(f"{address}/act/publish/", {"note": ""}).status_code == 403
    with enter(workspace):
        assert App.objects.get().status == "draft"
    # As in the API, somebody can be sent away at any time.
    members = f"/admin/w/{workspace.slug}/workspaces/membership/{member.pk}"
    assert client.post(f"{members}/act/suspend/", {}).status_code == 403
    assert client.post(f"{members}/act/remove/", {}).status_code == 302
    member.refresh_from_db()
    assert member.status == "left"


@pytest.mark.parametrize("address", ["/admin/accounts/user/?q=%00", "/admin/w/{slug}/applications/app/?q=%00"])
def test_nonsense_in_a_search_is_no_fault_of_the_server(
    browser: Any, make_user: Any, workspace: Workspace, address: str
) -> None:
    operator = make_user(is_staff=True)
    add_member(workspace, operator, "viewer")
    client = browser(operator)
    client.raise_request_exception = False
    assert client.get(address.format(slug=workspace.slug)).status_code in {200, 302, 400}
    assert client.get(address.format(slug=workspace.slug).replace("?q=%00", "%00/change/")).status_code in {302, 404}


def test_member_at_the_operators_door_is_led_to_their_workspaces(browser: Any, user: Any, workspace: Workspace) -> None:
    door = browser(user).get("/admin/", follow=True)
    assert door.redirect_chain[-1][0].startswith("/admin/w/")
    assert Client().get("/admin/", follow=True).redirect_chain[-1][0].startswith("/accounts/login/")


def test_members_see_the_roles_they_may_give(browser: Any, user: Any, make_user: Any, make_workspace: Any) -> None:
    mine, other = make_workspace(owner=user), make_workspace(owner=make_user())
    Role.objects.create(workspace=mine, code="editor", name="Editor here", codes=[])
    Role.objects.create(workspace=other, code="stranger", name="Stranger there", codes=[])
    page = browser(user).get(f"/admin/w/{mine.slug}/workspaces/role/").content.decode()
    assert "Viewer" in page
    assert "Editor here" in page
    assert "Stranger there" not in page
