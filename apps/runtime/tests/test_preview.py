"""The preview of a draft: for whoever holds its address, kept nowhere."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from apps.applications.models import App
from apps.applications.services.previews import make_preview
from apps.common.actors import Actor, ActorKind
from apps.common.tenancy import enter
from apps.runtime.services.recording import recorder
from apps.runtime.tests.factories import adder, publish_app
from apps.runtime.tests.test_actions import post_json, url_of
from apps.workflows.models import Run
from apps.workspaces.models import Membership, Role
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db


def preview_of(workspace: Any, *, by: Actor | None = None, **more: Any) -> str:
    actor = by or person(workspace.owner)
    with enter(workspace):
        app = App.objects.get(slug="adder")
        app.draft = adder(title="The draft")
        app.save()
        return f"{url_of(workspace)}?preview={make_preview(app=app, workspace=workspace, actor=actor, **more).token}"


def person(user: Any) -> Actor:
    return Actor(kind=ActorKind.USER, id=user.pk, user_id=user.pk)


def test_a_preview_shows_and_tries_the_draft(workspace: Any, client: Client) -> None:
    publish_app(workspace, audience="members")
    url = preview_of(workspace, now=timezone.now())
    html = client.get(url).content.decode()
    assert "<h1>The draft</h1>" in html
    assert "preview of the draft" in html
    action = re.search(r'<form[^>]* action="([^"]+)"', html)
    assert action
    tried = client.post(action[1], {"action": "add", "a": "20", "b": "2"})
    assert tried.status_code == 200
    assert "22.00" in tried.content.decode()
    assert client.post(action[1], {"action": "add", "a": "x", "b": "2"}).status_code == 422
    assert post_json(client, url, {"action": "add", "inputs": {"a": 1, "b": 2}}).json()["outputs"] == {"sum": 3.0}
    assert recorder.flush() == 0
    with enter(workspace):
        assert Run.objects.count() == 0


def test_an_old_or_foreign_token_shows_nothing(
    workspace: Any, make_workspace: Any, make_user: Any, client: Client
) -> None:
    publish_app(workspace)
    url = preview_of(workspace, now=timezone.now() - timedelta(hours=1))
    assert client.get(url).status_code == 404
    assert client.get(f"{url_of(workspace)}?preview=nonsense").status_code == 404
    other = make_workspace(owner=make_user())
    publish_app(other)
    token = preview_of(workspace, now=timezone.now()).split("preview=")[1]
    assert client.get(f"{url_of(other)}?preview={token}").status_code == 404


@pytest.mark.parametrize("end", ["removed", "role without the permission"])
def test_a_preview_ends_with_its_makers_right(
    workspace: Any, api: Any, make_user: Any, client: Client, end: str
) -> None:
    publish_app(workspace, audience="members")
    maker = make_user()
    member = add_member(workspace, maker, "developer")
    url = preview_of(workspace, by=person(maker), now=timezone.now())
    owners = preview_of(workspace, now=timezone.now())
    assert client.get(url).status_code == 200
    if end == "removed":
        assert api.delete(f"/api/v1/workspaces/{workspace.slug}/members/{member.pk}").status_code == 204
    else:
        role = Role.objects.create(workspace=workspace, code="auditor", name="Auditor", codes=["audit.view"])
        Membership.objects.filter(pk=member.pk).update(role=role)
    assert client.get(url).status_code == 404
    assert client.post(url, {"action": "add", "a": "1", "b": "2"}).status_code == 404
    assert client.get(owners).status_code == 200


def test_a_preview_by_a_service_account_ends_with_it(workspace: Any, api: Any, client: Client) -> None:
    publish_app(workspace, audience="members")
    accounts = f"/api/v1/workspaces/{workspace.slug}/service-accounts"
    account = api.post(accounts, {"name": "robot", "role": "developer"}).json()
    robot = Actor(kind=ActorKind.SERVICE_ACCOUNT, id=UUID(account["id"]))
    url = preview_of(workspace, by=robot, now=timezone.now())
    assert client.get(url).status_code == 200
    assert api.delete(f"{accounts}/{account['id']}").status_code == 204
    assert client.get(url).status_code == 404
