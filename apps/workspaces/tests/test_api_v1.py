"""Workspaces over HTTP: behaviour, permission, isolation, bad input."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.accounts.tests.factories import UserFactory
from apps.workspaces.models import Membership, SchemaSlot, Workspace
from apps.workspaces.models.membership import built_in_role_id
from apps.workspaces.tests.test_lifecycle import join

URL = "/api/v1/workspaces"


@pytest.fixture
def member_client(workspace: Any, make_user: Any, make_client: Any) -> Any:
    """``member_client("viewer")`` is a client of a member with that role."""

    def make(role: str) -> APIClient:
        member = make_user()
        join(workspace, member, role)
        client: APIClient = make_client(member)
        return client

    return make


def test_create_answers_the_workspace(api: Any) -> None:
    answer = api.post(URL, {"name": "Rocket Lab"}, format="json")
    assert answer.status_code == 201, answer.json()
    body = answer.json()
    assert {
        "id",
        "slug",
        "name",
        "display_name",
        "status",
        "plan",
        "default_app",
        "time_zone",
        "locale",
        "config",
    } <= set(body)
    assert (body["slug"], body["status"], body["role"], body["plan"]) == ("rocket-lab", "active", "owner", "free")
    assert "workspace.close" in body["permissions"]
    assert body["default_app"]
    assert answer["Location"] == "/api/v1/workspaces/rocket-lab"
    assert answer["ETag"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"name": 5}, "/name"),
        ({"name": "x", "slug": "Not A Slug"}, "/slug"),
        ({"name": "x", "config": {"nope": 1}}, "/config/nope"),
        ({"name": "x", "time_zone": "Nowhere"}, "/time_zone"),
        ({"name": "x", "time_zone": "Factory"}, "/time_zone"),
        ({"name": "x", "unknown": 1}, "/unknown"),
    ],
)
def test_create_refuses_bad_input(api: Any, body: dict[str, Any], pointer: str) -> None:
    answer = api.post(URL, body, format="json")
    assert answer.status_code == 400
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


def test_slug_that_is_taken_is_a_conflict(api: Any, workspace: Any) -> None:
    answer = api.post(URL, {"name": "x", "slug": workspace.slug}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "slug_taken")


def test_chinese_name_gets_a_usable_slug(api: Any) -> None:
    body = api.post(URL, {"name": "研发团队"}, format="json").json()
    assert body["name"] == "研发团队"
    assert api.get(f"{URL}/{body['slug']}").status_code == 200


def test_nobody_gets_401(make_client: Any) -> None:
    assert make_client().get(URL).status_code == 401
    assert make_client().post(URL, {"name": "x"}, format="json").status_code == 401


def test_list_has_the_callers_own_only(
    api: Any, user: Any, workspace: Any, make_workspace: Any, make_user: Any
) -> None:
    make_workspace(owner=make_user())
    slugs = {item["slug"] for item in api.get(URL).json()["items"]}
    assert slugs == set(Workspace.objects.filter(owner=user).values_list("slug", flat=True))


def test_list_shows_the_role_in_each(workspace: Any, member_client: Any) -> None:
    items = {item["slug"]: item for item in member_client("viewer").get(URL).json()["items"]}
    assert items[workspace.slug]["role"] == "viewer"
    assert "workspace.update" not in items[workspace.slug]["permissions"]


def test_list_costs_the_same_for_many(api: Any, user: Any, make_workspace: Any) -> None:
    with CaptureQueriesContext(connection) as few:
        api.get(URL)
    for _ in range(3):
        make_workspace(owner=user)
    with CaptureQueriesContext(connection) as many:
        assert len(api.get(URL).json()["items"]) == 4
    assert len(many) == len(few)


def test_search_finds_chinese(api: Any, user: Any, make_workspace: Any) -> None:
    make_workspace(owner=user, name="研发团队")
    found = api.get(URL, {"q": "研发"}).json()["items"]
    assert [item["name"] for item in found] == ["研发团队"]


@pytest.mark.parametrize("by", ["id", "slug"])
def test_retrieve_by_id_or_slug(api: Any, workspace: Any, by: str) -> None:
    answer = api.get(f"{URL}/{getattr(workspace, by)}")
    assert answer.json()["id"] == str(workspace.pk)
    assert api.get(f"{URL}/{workspace.slug}", HTTP_IF_NONE_MATCH=answer["ETag"]).status_code == 304


def test_fault_01_strangers_get_404_everywhere(workspace: Any, make_user: Any, make_client: Any) -> None:
    stranger = make_client(make_user())
    for ref in (workspace.pk, workspace.slug):
        for method, path, body in (
            ("get", "", None),
            ("patch", "", {"name": "x"}),
            ("delete", "", None),
            ("post", "/restore", {}),
            ("post", "/transfer", {"member": "x", "confirm": workspace.slug}),
            ("get", "/operations", None),
            ("get", "/events", None),
        ):
            answer = getattr(stranger, method)(f"{URL}/{ref}{path}", body, format="json")
            assert answer.status_code == 404, (method, path)
            assert workspace.name not in answer.content.decode()


def test_viewer_may_look_and_no_more(workspace: Any, member_client: Any) -> None:
    viewer = member_client("viewer")
    assert viewer.get(f"{URL}/{workspace.slug}").status_code == 200
    answer = viewer.patch(f"{URL}/{workspace.slug}", {"name": "x"}, format="json")
    assert answer.status_code == 403
    assert answer.json()["decision_id"]


def test_admin_may_change_but_neither_close_nor_transfer(workspace: Any, member_client: Any) -> None:
    admin = member_client("admin")
    assert admin.patch(f"{URL}/{workspace.slug}", {"name": "x"}, format="json").status_code == 200
    assert admin.delete(f"{URL}/{workspace.slug}").status_code == 403
    body = {"member": "x", "confirm": workspace.slug}
    assert admin.post(f"{URL}/{workspace.slug}/transfer", body, format="json").status_code == 403


def test_patch_changes_what_it_names(api: Any, workspace: Any) -> None:
    answer = api.patch(
        f"{URL}/{workspace.slug}",
        {"display_name": "The Lab", "config": {"theme": {"accent": "#2f6fed"}}, "slug": "the-lab"},
        format="json",
    )
    assert answer.status_code == 200, answer.json()
    body = answer.json()
    assert (body["display_name"], body["slug"], body["name"]) == ("The Lab", "the-lab", "Test workspace")
    assert api.get(f"{URL}/{workspace.slug}").status_code == 404


@pytest.mark.parametrize("by", ["id", "slug"])
def test_patch_default_app(api: Any, workspace: Any, by: str) -> None:
    made = api.post(f"{URL}/{workspace.slug}/apps", {"name": "Other"}, format="json").json()
    answer = api.patch(f"{URL}/{workspace.slug}", {"default_app": made[by]}, format="json")
    assert answer.json()["default_app"] == made["id"]


def test_fault_01_default_app_of_another_workspace_is_unknown(
    api: Any, workspace: Any, make_workspace: Any, make_user: Any
) -> None:
    foreign = make_workspace(owner=make_user())
    foreign.refresh_from_db()
    answer = api.patch(f"{URL}/{workspace.slug}", {"default_app": str(foreign.default_app_id)}, format="json")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "unknown_app")


def test_stale_etag_is_refused(api: Any, workspace: Any) -> None:
    tag = api.get(f"{URL}/{workspace.slug}")["ETag"]
    assert api.patch(f"{URL}/{workspace.slug}", {"name": "a"}, format="json", HTTP_IF_MATCH=tag).status_code == 200
    assert api.patch(f"{URL}/{workspace.slug}", {"name": "b"}, format="json", HTTP_IF_MATCH=tag).status_code == 412
    assert api.delete(f"{URL}/{workspace.slug}", HTTP_IF_MATCH=tag).status_code == 412


def test_closed_can_be_read_not_changed_and_restored(api: Any, workspace: Any) -> None:
    closed = api.delete(f"{URL}/{workspace.slug}")
    assert (closed.status_code, closed.json()["status"]) == (200, "closing")
    assert closed.json()["purge_after"]
    assert api.get(f"{URL}/{workspace.slug}").status_code == 200
    assert api.patch(f"{URL}/{workspace.slug}", {"name": "x"}, format="json").json()["code"] == "workspace_not_active"
    assert api.delete(f"{URL}/{workspace.slug}").status_code == 409
    restored = api.post(f"{URL}/{workspace.slug}/restore")
    assert (restored.status_code, restored.json()["status"]) == (200, "active")
    assert api.post(f"{URL}/{workspace.slug}/restore").status_code == 409


def test_transfer(api: Any, workspace: Any, make_user: Any, make_client: Any) -> None:
    heir = make_user()
    member = join(workspace, heir)
    url = f"{URL}/{workspace.slug}/transfer"
    wrong = api.post(url, {"member": str(member.pk), "confirm": "wrong"}, format="json")
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, "/confirm")
    answer = api.post(url, {"member": str(member.pk), "confirm": workspace.slug}, format="json")
    assert (answer.status_code, answer.json()["role"]) == (200, "admin")
    assert make_client(heir).get(f"{URL}/{workspace.slug}").json()["role"] == "owner"


def test_fault_12_suspended_member_is_out_at_once(workspace: Any, make_user: Any, make_client: Any) -> None:
    person = make_user()
    membership = join(workspace, person)
    client = make_client(person)
    assert client.get(f"{URL}/{workspace.slug}").status_code == 200
    Membership.objects.filter(pk=membership.pk).update(status="suspended")
    assert client.get(f"{URL}/{workspace.slug}").status_code == 404


def test_provisioning_workspace_is_shown(api: Any, user: Any) -> None:
    SchemaSlot.objects.update(fingerprint="older")
    made = api.post(URL, {"name": "Later"}, format="json")
    assert (made.status_code, made.json()["status"]) == (201, "provisioning")
    assert api.get(f"{URL}/{made.json()['slug']}").json()["status"] == "provisioning"
    assert api.get(f"{URL}/{made.json()['slug']}/apps").status_code == 503


def test_fault_08_two_requests_for_one_slug_one_201_one_409(committed_database: str, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock():
        people = [UserFactory(), UserFactory()]
        barrier, answers = threading.Barrier(2), []

        def create(person: Any) -> None:
            client = APIClient()
            client.force_authenticate(person)
            barrier.wait()
            answers.append(client.post(URL, {"name": "x", "slug": "contested"}, format="json").status_code)
            connection.close()

        threads = [threading.Thread(target=create, args=[person]) for person in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [201, 409]
        assert Workspace.objects.filter(slug="contested").count() == 1
        connection.close()


def test_default_workspace_is_there_for_everybody(api: Any, user: Any) -> None:
    items = api.get(URL).json()["items"]
    assert [item["role"] for item in items] == ["owner"]
    assert built_in_role_id("owner") == Membership.objects.get(user=user).role_id


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\n", "\x1b", "\u2028"])
@pytest.mark.parametrize("field", ["name", "display_name"])
def test_a_name_has_no_characters_that_steer_the_text_around_it(
    api: Any, workspace: Any, field: str, character: str
) -> None:
    given = {field: f"Acme{character}Bank"}
    made = api.post("/api/v1/workspaces", {"name": "Acme", **given})
    changed = api.patch(f"/api/v1/workspaces/{workspace.slug}", given)
    for answer in (made, changed):
        assert answer.status_code == 400, answer.content
        assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [(f"/{field}", "invalid_name")]
    assert api.patch(f"/api/v1/workspaces/{workspace.slug}", {field: "بنك Łódź 株式会社"}).status_code == 200
