"""The page behind the link of an invitation, as a browser without JavaScript goes through it."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from django.test import Client

from apps.accounts.tests.factories import PASSWORD, browser_of
from apps.workspaces.models import Invitation, Membership
from apps.workspaces.tests.factories import token_from_mail

pytestmark = pytest.mark.django_db


@pytest.fixture
def link(api: Any, workspace: Any) -> str:
    api.post(f"/api/v1/workspaces/{workspace.slug}/members", {"email": "ann@example.com", "role": "viewer"})
    return f"/invitations/accept?token={token_from_mail()}"


def join(browser: Client, link: str) -> Any:
    return browser.post("/invitations/accept", {"token": link.partition("token=")[2]})


def test_stranger_is_shown_the_way_in_and_comes_back_after_signing_up(
    client: Client, link: str, workspace: Any
) -> None:
    page = client.get(link)
    text = unescape(page.content.decode())
    assert page.status_code == 200
    assert workspace.name in text
    assert "ann@example.com" in text
    assert page["Cache-Control"].startswith("max-age=0")
    sign_up = page.context["sign_up_url"]
    assert "ann@example.com" in unescape(client.get(sign_up).content.decode())
    answer = client.post(
        sign_up, {"email": "ann@example.com", "password1": PASSWORD, "name": "Ann", "next": page.context["here"]}
    )
    assert (answer.status_code, answer.headers.get("Location")) == (302, page.context["here"])
    assert "Join" in client.get(answer["Location"]).content.decode()
    joined = join(client, link)
    assert (joined.status_code, joined["Location"]) == (302, f"/admin/w/{workspace.slug}/")
    assert Membership.objects.get(workspace=workspace, user__email="ann@example.com").role.code == "viewer"


def test_looking_accepts_nothing(make_user: Any, link: str) -> None:
    browser = browser_of(make_user(email="ann@example.com"))
    assert browser.get(link).status_code == 200
    assert browser.head(link).status_code == 200
    assert Invitation.objects.get().status == "pending"


def test_fault_13_another_person_is_told_and_not_let_in(make_user: Any, link: str, workspace: Any) -> None:
    bob = make_user(email="bob@example.com")
    browser = browser_of(bob)
    text = browser.get(link).content.decode()
    assert "bob@example.com" in text
    assert 'name="token"' not in text
    assert join(browser, link).status_code == 403
    assert not Membership.objects.filter(workspace=workspace, user=bob).exists()


def test_fault_13_spent_expired_and_invented_links_say_so(make_user: Any, link: str) -> None:
    browser = browser_of(make_user(email="ann@example.com"))
    assert browser.get("/invitations/accept?token=invented").status_code == 404
    assert browser.get("/invitations/accept").status_code == 404
    Invitation.objects.update(expires_at=Invitation.objects.get().created_at)
    assert browser.get(link).status_code == 410
    Invitation.objects.update(status="revoked")
    page = browser.get(link)
    assert page.status_code == 409
    assert "was revoked already" in page.content.decode()


def test_joining_needs_the_form_of_the_page(make_user: Any, link: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(make_user(email="ann@example.com"))
    assert join(browser, link).status_code == 403
    assert Invitation.objects.get().status == "pending"
