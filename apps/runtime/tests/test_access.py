"""Who may open an app: audiences, passwords, links, addresses, roles, keys."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from apps.accounts.tests.factories import browser_of
from apps.applications.models import AccessPolicy
from apps.common.tenancy import enter
from apps.runtime.services.resolution import resolver
from apps.runtime.tests.factories import publish_app
from apps.runtime.tests.test_actions import form_token, url_of

pytestmark = pytest.mark.django_db


def change_policy(workspace: Any, **values: Any) -> None:
    with enter(workspace):
        AccessPolicy.objects.filter(app__slug="adder").update(**values)
    resolver.expire()


def test_members_apps_ask_nobody_to_sign_in_first(workspace: Any, client: Client) -> None:
    publish_app(workspace, audience="members")
    answer = client.get(url_of(workspace))
    assert answer.status_code == 401
    assert f"/accounts/login/?next={url_of(workspace)}" in answer.content.decode()
    assert "Adder" not in answer.content.decode()
    problem = client.get(url_of(workspace), headers={"Accept": "application/json"})
    assert problem.status_code == 401
    assert problem.headers["WWW-Authenticate"].startswith("Bearer")
    assert problem.json()["code"] == "sign_in_required"


def test_members_apps_open_for_members_and_are_not_there_for_others(workspace: Any, user: Any, make_user: Any) -> None:
    publish_app(workspace, audience="members")
    assert browser_of(user).get(url_of(workspace)).status_code == 200
    stranger = browser_of(make_user())
    assert stranger.get(url_of(workspace)).status_code == 404
    assert stranger.get(f"{url_of(workspace)}/schema").status_code == 404
    body = json.dumps({"action": "add", "inputs": {"a": 1, "b": 2}})
    assert stranger.post(url_of(workspace), body, content_type="application/json").status_code == 404


def test_roles_narrow_the_members(workspace: Any, user: Any) -> None:
    publish_app(workspace, audience="members", roles=["viewer"])
    assert browser_of(user).get(url_of(workspace)).status_code == 403
    change_policy(workspace, roles=["owner"])
    assert browser_of(user).get(url_of(workspace)).status_code == 200


def test_signed_in_apps_open_for_anybody_with_an_account(workspace: Any, make_user: Any, client: Client) -> None:
    publish_app(workspace, audience="signed_in")
    assert client.get(url_of(workspace)).status_code == 401
    assert browser_of(make_user()).get(url_of(workspace)).status_code == 200


def test_a_password_opens_an_app_until_it_changes(workspace: Any, client: Client) -> None:
    publish_app(workspace, audience="password", password="open sesame")
    url = url_of(workspace)
    first = client.get(url)
    assert first.status_code == 401
    assert 'type="password"' in first.content.decode()
    assert "Adder" not in first.content.decode(), "nothing of the app is told before"
    token = form_token(client, url)
    wrong = client.post(url, {"csrf": token, "password": "guess"})
    assert wrong.status_code == 400
    assert "not the password" in wrong.content.decode()
    assert client.post(url, {"csrf": "", "password": "open sesame"}).status_code == 403
    right = client.post(url, {"csrf": token, "password": "open sesame"})
    assert right.status_code == 303
    assert client.get(url).status_code == 200
    assert Client().get(url).status_code == 401
    change_policy(workspace, password_hash="another")
    assert client.get(url).status_code == 401


def test_a_program_may_give_the_password(workspace: Any, client: Client) -> None:
    publish_app(workspace, audience="password", password="open sesame")
    url = url_of(workspace)
    wrong = client.post(url, json.dumps({"password": "no"}), content_type="application/json")
    assert wrong.status_code == 401
    assert wrong.json()["code"] == "wrong_password"
    assert client.post(url, json.dumps({"password": "open sesame"}), content_type="application/json").status_code == 200
    assert client.get(url).status_code == 200


def test_few_tries_at_a_password(workspace: Any, client: Client) -> None:
    publish_app(workspace, audience="password", password="open sesame")
    url = url_of(workspace)
    body = json.dumps({"password": "no"})
    statuses = [client.post(url, body, content_type="application/json").status_code for _ in range(12)]
    assert statuses.count(401) == 10
    assert statuses[-1] == 429


def test_a_link_opens_an_app_and_leaves_the_address_clean(workspace: Any, client: Client) -> None:
    publish_app(workspace, audience="link", link_token="t0ken")
    url = url_of(workspace)
    assert client.get(url).status_code == 403
    assert client.get(f"{url}?link=wrong").status_code == 403
    answer = client.get(f"{url}?link=t0ken&x=1")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{url}?x=1"
    assert client.get(url).status_code == 200
    change_policy(workspace, link_token="new")
    assert client.get(url).status_code == 403


def test_a_link_does_not_open_another_app(workspace: Any, client: Client) -> None:
    publish_app(workspace, audience="link", link_token="t0ken")
    publish_app(workspace, slug="second", audience="link", link_token="t0ken")
    url = url_of(workspace)
    cookie = client.get(f"{url}?link=t0ken").cookies["apprun_visit"].value
    answer = Client(headers={"Cookie": f"apprun_visit={cookie}"}).get(f"/runtime/{workspace.slug}/second")
    assert answer.status_code == 403


@pytest.mark.parametrize("cookie", ["", "x", "A" * 80, "A" * 5000, "é", "=" * 10])
def test_forged_cookies_are_no_visit(workspace: Any, cookie: str) -> None:
    publish_app(workspace)
    answer = Client(headers={"Cookie": f"apprun_visit={cookie}"}).get(url_of(workspace))
    assert answer.status_code == 200
    assert "apprun_visit" in answer.cookies


def test_a_list_of_addresses(workspace: Any, client: Client) -> None:
    publish_app(workspace, addresses=["10.0.0.0/8", "2001:db8::/32"])
    url = url_of(workspace)
    assert client.get(url).status_code == 403
    assert client.get(url, REMOTE_ADDR="10.1.2.3").status_code == 200
    assert client.get(url, REMOTE_ADDR="2001:db8::1").status_code == 200
    assert client.get(url, REMOTE_ADDR="::ffff:10.1.2.3").status_code == 200


def test_frame_ancestors_follow_the_policy(workspace: Any, client: Client) -> None:
    publish_app(workspace, frame_ancestors=["https://intranet.example"])
    answer = client.get(url_of(workspace), secure=True)
    assert "frame-ancestors https://intranet.example" in answer.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in answer.headers
    assert answer.cookies["apprun_visit"]["samesite"] == "None"
    change_policy(workspace, frame_ancestors=[], revision=2)
    closed = client.get(url_of(workspace))
    assert "frame-ancestors 'none'" in closed.headers["Content-Security-Policy"]
    assert closed.headers["X-Frame-Options"] == "DENY"


def test_signing_in_as_somebody_else_starts_another_visit(workspace: Any, make_user: Any) -> None:
    publish_app(workspace, audience="signed_in")
    client = browser_of(make_user())
    first = client.get(url_of(workspace)).cookies["apprun_visit"].value
    client.force_login(make_user())
    assert client.get(url_of(workspace)).cookies["apprun_visit"].value != first


def key_of(api: Any, workspace: Any) -> str:
    body = {"name": "probe", "scopes": ["apps.view"]}
    made = api.post(f"/api/v1/workspaces/{workspace.slug}/api-keys", body)
    assert made.status_code == 201, made.content
    return str(made.json()["key"])


def test_keys_of_the_workspace_may_call_members_apps(
    workspace: Any, api: Any, client: Client, make_user: Any, make_workspace: Any, make_client: Any
) -> None:
    publish_app(workspace, audience="members")
    headers = {"Authorization": f"Api-Key {key_of(api, workspace)}", "Accept": "application/json"}
    url = url_of(workspace)
    assert client.get(f"{url}/schema", headers=headers).status_code == 200
    body = json.dumps({"action": "add", "inputs": {"a": 1, "b": 2}})
    answer = client.post(url, body, content_type="application/json", headers=headers)
    assert answer.json()["outputs"] == {"sum": 3.0}
    assert "apprun_visit" not in answer.cookies
    again = client.get(f"{url}/runs/{answer.json()['run']}", headers=headers)
    assert again.json()["status"] == "succeeded"

    other = make_user()
    foreign = key_of(make_client(other), make_workspace(owner=other))
    headers["Authorization"] = f"Api-Key {foreign}"
    assert client.get(url, headers=headers).status_code == 404
    assert client.get(f"{url}/runs/{answer.json()['run']}", headers=headers).status_code == 404
    headers["Authorization"] = "Api-Key not.a-key"
    assert client.get(url, headers=headers).status_code == 401
