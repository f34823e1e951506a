"""Apps over HTTP, as clients meet them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework import serializers

from apps.applications.api.v1.serializers import AppItem
from apps.applications.errors import PreviewOver
from apps.applications.models import App
from apps.applications.selectors.apps import list_apps
from apps.applications.services.previews import DraftToShow, open_preview
from apps.applications.tests.factories import make_app, make_definition
from apps.billing.tests.factories import set_limit
from apps.common.ids import new_id
from apps.common.tenancy import enter
from apps.workspaces.models import Workspace

pytestmark = pytest.mark.django_db


def save(api: Any, url: str, definition: Any, tag: str) -> Any:
    return api.put(url, {"definition": definition}, headers={"If-Match": tag})


# ---- the short form


def test_the_short_form_works_on_a_workspace_that_was_made_a_second_ago(api: Any, base: str) -> None:
    draft = api.get(f"{base}/draft")
    assert save(api, f"{base}/draft", make_definition(), draft["ETag"]).json()["revision"] == 2
    assert api.post(f"{base}/versions", {"note": "one"}).json()["number"] == 1
    assert api.post(f"{base}/publish", {"version": 1}).json()["sequence"] == 1
    assert api.post(f"{base}/publish").json()["version"] == 2
    assert api.post(f"{base}/rollback", {"version": 1}).json()["sequence"] == 3
    assert api.post(f"{base}/deprecate").json()["status"] == "deprecated"
    assert api.post(f"{base}/undeprecate").json()["status"] == "published"
    assert api.get(f"{base}/access-policy").json()["audience"] == "members"
    assert api.patch(f"{base}/access-policy", {"visitor_limit": 10}).json()["visitor_limit"] == 10
    assert [item["number"] for item in api.get(f"{base}/versions").json()["items"]] == [2, 1]
    assert [item["sequence"] for item in api.get(f"{base}/releases").json()["items"]] == [3, 2, 1]
    assert api.get(f"{base}/versions/1/diff/2").json() == {"changes": [], "summary": []}
    assert api.get(f"{base}/preview").json()["draft_revision"] == 2
    assert api.post(f"{base}/unpublish").json()["status"] == "unpublished"
    assert api.post(f"{base}/archive").json()["status"] == "archived"
    assert api.post(f"{base}/unarchive").json()["status"] == "unpublished"
    assert api.get(f"{base}/apps/home").json()["current_release"] == {"sequence": 3, "version": 1}


def test_the_short_form_follows_the_default_app(api: Any, base: str, workspace: Any) -> None:
    made = api.post(f"{base}/apps", {"name": "Doubler", "definition": make_definition()}).json()
    assert api.patch(base, {"default_app": "doubler"}).json()["default_app"] == made["id"]
    assert api.get(f"{base}/draft").json()["definition"]["page"]["title"] == "Doubler"
    assert api.delete(f"{base}/apps/doubler").json()["code"] == "default_app"
    assert api.patch(base, {"default_app": "nowhere"}).status_code == 400
    Workspace.objects.filter(pk=workspace.pk).update(default_app_id=None)
    assert api.get(f"{base}/draft").status_code == 404


# ---- apps


def test_making_an_app(api: Any, base: str, workspace: Any, settings: Any) -> None:
    settings.BASE_URL = "https://run.example"
    answer = api.post(f"{base}/apps", {"name": "Unit prices", "definition": make_definition()})
    assert answer.status_code == 201
    assert answer["Location"] == f"{base}/apps/unit-prices"
    made = answer.json()
    assert made["slug"] == "unit-prices"
    assert (made["status"], made["origin"], made["draft_revision"]) == ("draft", "blank", 1)
    assert made["current_release"] is None
    assert made["url"] == f"https://run.example/runtime/{workspace.slug}/unit-prices"
    assert api.get(answer["Location"]).json() == made
    assert api.get(f"{base}/apps/{made['id']}").json() == made


def test_a_slug_is_derived_and_never_taken_twice(api: Any, base: str) -> None:
    slugs = [api.post(f"{base}/apps", {"name": "Prices"}).json()["slug"] for _ in range(3)]
    assert slugs == ["prices", "prices-2", "prices-3"]
    assert api.post(f"{base}/apps", {"name": "贷款"}).json()["slug"].startswith("app-")
    taken = api.post(f"{base}/apps", {"name": "Other", "slug": "prices"})
    assert (taken.status_code, taken.json()["code"]) == (409, "slug_taken")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": " "}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"name": "A", "slug": "No Slug"}, "/slug"),
        ({"name": "A", "slug": "from-ai"}, "/slug"),
        ({"name": "A", "slug": "01a1fbda-621f-7056-8261-8b1969f99e22"}, "/slug"),
        ({"name": "A", "colour": "red"}, "/colour"),
        ({"name": "A", "definition": {}}, "/definition/page"),
        ({"name": "A", "definition": None}, "/definition"),
        ({"name": "A", "definition": 5}, "/definition"),
        ({"name": "A\u0000"}, ""),
    ],
)
def test_an_app_that_can_not_be_is_pointed_at(api: Any, base: str, body: Any, pointer: str) -> None:
    answer = api.post(f"{base}/apps", body)
    assert answer.status_code == 400, answer.json()
    assert pointer in [error["pointer"] for error in answer.json().get("errors", [{"pointer": ""}])]


def test_changing_an_app_moves_its_address_and_demands_the_revision_when_it_is_sent(api: Any, base: str) -> None:
    tag = api.post(f"{base}/apps", {"name": "Old"})["ETag"]
    changed = api.patch(f"{base}/apps/old", {"name": "New", "slug": "newer"}, headers={"If-Match": tag})
    assert (changed.json()["name"], changed.json()["slug"]) == ("New", "newer")
    assert api.get(f"{base}/apps/old").status_code == 404
    assert api.patch(f"{base}/apps/newer", {"name": "X"}, headers={"If-Match": tag}).status_code == 412
    assert api.patch(f"{base}/apps/newer", {"slug": "home"}).status_code == 409
    assert api.patch(f"{base}/apps/newer", {"slug": "api"}).status_code == 400
    assert api.get(f"{base}/apps/newer", headers={"If-None-Match": changed["ETag"]}).status_code == 304


def test_a_copy_has_the_draft_and_nothing_of_the_history(api: Any, base: str) -> None:
    api.post(f"{base}/apps", {"name": "First", "definition": make_definition()})
    api.post(f"{base}/apps/first/publish")
    api.patch(f"{base}/apps/first/access-policy", {"audience": "public"})
    copy = api.post(f"{base}/apps/first/duplicate")
    assert copy.status_code == 201
    assert (copy.json()["name"], copy.json()["slug"]) == ("First (copy)", "first-2")
    assert (copy.json()["status"], copy.json()["current_release"]) == ("draft", None)
    assert api.get(f"{base}/apps/first-2/draft").json()["definition"] == make_definition()
    assert api.get(f"{base}/apps/first-2/access-policy").json()["audience"] == "members"
    assert api.get(f"{base}/apps/first-2/versions").json()["items"] == []


def test_deleting_asks_for_the_archive_first(api: Any, base: str, workspace: Any) -> None:
    api.post(f"{base}/apps", {"name": "Gone"})
    api.post(f"{base}/apps/gone/publish")
    refused = api.delete(f"{base}/apps/gone")
    assert (refused.status_code, refused.json()["code"]) == (409, "app_in_use")
    api.post(f"{base}/apps/gone/archive")
    assert api.delete(f"{base}/apps/gone").status_code == 204
    assert api.get(f"{base}/apps/gone").status_code == 404
    api.post(f"{base}/apps", {"name": "Draft"})
    api.post(f"{base}/apps/draft/versions")
    assert api.delete(f"{base}/apps/draft").status_code == 204
    assert api.delete(f"{base}/apps/home").json()["code"] == "default_app"
    with enter(workspace):
        assert list(App.objects.values_list("slug", flat=True)) == ["home"]


def test_apps_are_found_by_words_state_and_origin(api: Any, base: str) -> None:
    for name in ("Loan schedule", "IBAN check", "贷款计算"):
        api.post(f"{base}/apps", {"name": name})
    api.post(f"{base}/apps/iban-check/publish")

    def names(query: str) -> list[str]:
        return [item["name"] for item in api.get(f"{base}/apps?{query}").json()["items"]]

    assert names("q=loan") == ["Loan schedule"]
    assert names("q=款计") == ["贷款计算"]
    assert names("status=published") == ["IBAN check"]
    assert names("status=published&status=draft&order=name&limit=2") == ["Home", "IBAN check"]
    assert names("origin=ai") == []
    assert api.get(f"{base}/apps?status=gone").status_code == 400
    assert api.get(f"{base}/apps?fields=slug&q=iban").json()["items"] == [{"slug": "iban-check"}]


def test_a_page_of_apps_costs_as_many_queries_as_one_app(api: Any, base: str, workspace: Any) -> None:
    with enter(workspace):
        for number in range(12):
            make_app(workspace, slug=f"app-{number}", published=True)

    def queries_of(url: str) -> int:
        api.get(url)
        with CaptureQueriesContext(connection) as captured:
            assert api.get(url).status_code == 200
        return sum("SELECT " in query["sql"] for query in captured.captured_queries)

    # The caller's grant, and the rows with their releases and versions.
    assert queries_of(f"{base}/apps/app-3") == queries_of(f"{base}/apps?limit=13") == 2


def test_an_app_is_written_out_as_its_fields_would_be(workspace: Any) -> None:
    context = {"view": SimpleNamespace(workspace=workspace)}
    with enter(workspace):
        make_app(workspace, published=True)
        App.objects.filter(slug="doubler").update(sunset_at=datetime(2099, 1, 1, tzinfo=UTC))
        for app in list_apps():
            item = AppItem(app, context=context)
            assert serializers.Serializer.to_representation(item, app) == item.data


# ---- drafts


def test_fault_24_of_two_who_edit_a_draft_one_is_told(api: Any, base: str) -> None:
    tag = api.get(f"{base}/draft")["ETag"]
    first = save(api, f"{base}/draft", make_definition("Mine"), tag)
    second = save(api, f"{base}/draft", make_definition("Theirs"), tag)
    assert (first.status_code, second.status_code) == (200, 412)
    assert second.json()["code"] == "stale_revision"
    kept = api.get(f"{base}/draft")
    assert kept.json()["definition"]["page"]["title"] == "Mine"
    assert save(api, f"{base}/draft", make_definition("Theirs"), kept["ETag"]).json()["revision"] == 3


def test_saving_a_draft_needs_the_revision(api: Any, base: str) -> None:
    answer = api.put(f"{base}/draft", {"definition": make_definition()})
    assert (answer.status_code, answer.json()["code"]) == (428, "revision_required")
    assert save(api, f"{base}/draft", make_definition(), '"nonsense"').status_code == 412
    assert save(api, f"{base}/draft", make_definition(), "no tag").status_code == 400


def test_an_archived_apps_draft_is_left_alone(api: Any, base: str) -> None:
    tag = api.get(f"{base}/draft")["ETag"]
    api.post(f"{base}/archive")
    assert save(api, f"{base}/draft", make_definition(), tag).json()["code"] == "app_archived"
    assert api.post(f"{base}/versions").json()["code"] == "app_archived"
    assert api.post(f"{base}/publish").json()["code"] == "illegal_transition"


def test_a_version_can_be_put_back_as_the_draft(api: Any, base: str) -> None:
    workflow = {"name": "Twice", "slug": "twice", "definition": {"steps": [], "outputs": {"twice": 2}}}
    assert api.post(f"{base}/workflows", workflow).status_code == 201
    definition = make_definition()
    definition["actions"]["double"] = {"workflow": {"ref": "twice"}}
    save(api, f"{base}/draft", definition, "*")
    api.post(f"{base}/publish")
    version = api.get(f"{base}/versions/1").json()
    assert version["definition"]["workflows"]["twice"]["definition"]["outputs"] == {"twice": 2}
    back = save(api, f"{base}/draft", version["definition"], "*")
    assert back.status_code == 200
    assert "workflows" not in back.json()["definition"]


@pytest.mark.parametrize("size", [300_000, 5_000_000])
def test_fault_25_a_huge_definition_is_a_clear_400(api: Any, base: str, size: int) -> None:
    definition = make_definition()
    definition["page"]["blocks"][0]["text"] = "x" * size
    began = time.perf_counter()
    answer = save(api, f"{base}/draft", definition, "*")
    assert time.perf_counter() - began < 1
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/definition", "definition_too_large")
    assert "262,144 bytes" in error["detail"]


@pytest.mark.parametrize("body", ['{"definition": ' + "[" * 100_000 + "]" * 100_000 + "}", '{"definition": NaN}', "{"])
def test_fault_66_hostile_json_is_a_clear_400(api: Any, base: str, body: str) -> None:
    began = time.perf_counter()
    answer = api.put(f"{base}/draft", body, content_type="application/json", headers={"If-Match": "*"})
    assert (answer.status_code, time.perf_counter() - began < 1) == (400, True)
    assert answer["Content-Type"] == "application/problem+json"


# ---- versions and releases


def test_a_version_tells_its_digest_author_and_note(api: Any, base: str, user: Any) -> None:
    made = api.post(f"{base}/versions", {"note": "first"})
    assert made.status_code == 201
    shown = api.get(made["Location"]).json()
    assert shown["digest"] == made.json()["digest"]
    assert len(shown["digest"]) == 64
    assert shown["created_by"] == {"kind": "user", "id": str(user.pk), "name": user.get_full_name()}
    assert (shown["note"], shown["database_revision"]) == ("first", None)
    assert shown["definition"]["page"]["title"] == "Welcome"
    assert api.patch(made["Location"], {"note": "other"}).status_code == 405
    assert api.delete(made["Location"]).status_code == 405


def test_the_difference_of_two_versions(api: Any, base: str) -> None:
    api.post(f"{base}/versions")
    save(api, f"{base}/draft", make_definition(), "*")
    api.post(f"{base}/versions")
    save(api, f"{base}/draft", make_definition("Two"), "*")
    api.post(f"{base}/versions")
    assert api.get(f"{base}/versions/2/diff/3").json() == {
        "changes": [{"kind": "changed", "pointer": "/page/title", "before": "Doubler", "after": "Two"}],
        "summary": ["The page’s title: “Doubler” became “Two”"],
    }
    assert api.get(f"{base}/versions/2/diff/9").json()["code"] == "version_not_found"


def test_a_dry_run_answers_with_the_plan_and_leaves_everything(api: Any, base: str) -> None:
    answer = api.post(f"{base}/publish", {"dry_run": True})
    assert answer.status_code == 200
    plan = answer.json()
    assert plan["dry_run"] is True
    assert (plan["version"], plan["live_version"], plan["needs_expose"]) == (1, None, False)
    assert plan["domains"] == []
    assert api.get(f"{base}/versions").json()["items"] == []
    assert api.get(f"{base}/apps/home").json()["status"] == "draft"


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("publish", {"version": 7}, 404, "version_not_found"),
        ("publish", {"version": 0}, 400, "invalid_input"),
        ("publish", {"version": "1"}, 400, "invalid_input"),
        ("publish", {"version": 10**12}, 400, "invalid_input"),
        ("publish", {"note": "x" * 501}, 400, "invalid_input"),
        ("publish", {"dry_run": "yes"}, 400, "invalid_input"),
        ("rollback", {"version": 1, "release": 1}, 400, "invalid_input"),
        ("rollback", {"version": 1}, 409, "app_not_live"),
        ("unpublish", {}, 409, "illegal_transition"),
        ("unpublish", {"really": True}, 400, "invalid_input"),
        ("deprecate", {}, 409, "illegal_transition"),
        ("deprecate", {"sunset_at": "2001-01-01T00:00:00Z"}, 400, "invalid_input"),
        ("deprecate", {"sunset_at": "soon"}, 400, "invalid_input"),
        ("undeprecate", {}, 409, "illegal_transition"),
        ("unarchive", {}, 409, "illegal_transition"),
        ("versions", {"number": 3}, 400, "invalid_input"),
    ],
)
def test_acts_that_can_not_be(api: Any, base: str, path: str, body: Any, status: int, code: str) -> None:
    answer = api.post(f"{base}/{path}", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_an_app_that_is_to_go_says_when(api: Any, base: str) -> None:
    api.post(f"{base}/publish")
    shown = api.post(f"{base}/deprecate", {"sunset_at": "2099-01-01T00:00:00Z"}).json()
    assert (shown["status"], shown["sunset_at"]) == ("deprecated", "2099-01-01T00:00:00Z")
    assert api.post(f"{base}/undeprecate").json()["sunset_at"] is None


def test_publishing_twice_with_one_key_makes_one_release(api: Any, base: str) -> None:
    first = api.post(f"{base}/publish", {}, headers={"Idempotency-Key": "k1"})
    again = api.post(f"{base}/publish", {}, headers={"Idempotency-Key": "k1"})
    assert first.json() == again.json()
    assert len(api.get(f"{base}/releases").json()["items"]) == 1


@pytest.mark.parametrize("path", ["versions/abc", "versions/1/diff/x", "versions/99999999999999999999"])
def test_addresses_that_name_no_version(api: Any, base: str, path: str) -> None:
    assert api.get(f"{base}/{path}").status_code == 404


def test_the_definition_schema_is_open_to_all(make_client: Any) -> None:
    answer = make_client().get("/api/v1/definition-schema")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("application/schema+json")
    assert answer.json()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    again = make_client().get("/api/v1/definition-schema", headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304


def test_every_workspace_is_born_with_a_home_app(workspace: Any, api: Any, base: str) -> None:
    shown = api.get(f"{base}/apps/home").json()
    assert shown["id"] == str(workspace.default_app_id)
    assert shown["status"] == "draft"


def test_a_developer_may_not_publish_what_strangers_could_open(api: Any, as_role: Any, base: str) -> None:
    api.patch(f"{base}/access-policy", {"audience": "public"})
    developer = as_role("developer")
    assert developer.post(f"{base}/publish", {"dry_run": True}).json()["needs_expose"] is True
    refused = developer.post(f"{base}/publish")
    assert (refused.status_code, refused.json()["code"]) == (403, "exposure_denied")
    assert refused.json()["decision_id"]
    assert api.get(f"{base}/versions").json()["items"] == []
    assert api.post(f"{base}/publish").status_code == 201
    assert developer.post(f"{base}/publish").status_code == 201


def test_a_plan_without_room_for_another_app_is_402(api: Any, base: str, workspace: Any) -> None:
    set_limit(workspace, "apps", 2)
    two = api.post(f"{base}/apps", {"name": "Two"})
    assert two.status_code == 201
    for refused in (api.post(f"{base}/apps", {"name": "Three"}), api.post(f"{base}/apps/home/duplicate")):
        told = {name: refused.json()[name] for name in ("status", "code", "dimension", "limit", "used", "resets_at")}
        assert told == {
            "status": 402,
            "code": "quota_exceeded",
            "dimension": "apps",
            "limit": 2,
            "used": 2,
            "resets_at": None,
        }
    assert len(api.get(f"{base}/apps").json()["items"]) == 2
    assert api.delete(f"{base}/apps/two", headers={"If-Match": "*"}).status_code == 204
    assert api.post(f"{base}/apps", {"name": "Three"}).status_code == 201


# ---- previews


def test_a_preview_opens_the_draft_for_a_quarter_of_an_hour(api: Any, base: str, workspace: Any) -> None:
    shown = api.get(f"{base}/preview").json()
    address, _, token = shown["url"].partition("?preview=")
    assert address.endswith(f"/runtime/{workspace.slug}/home")
    now = timezone.now()
    expires = datetime.fromisoformat(shown["expires_at"])
    assert timedelta(minutes=14) < expires - now <= timedelta(minutes=15)
    save(api, f"{base}/draft", make_definition(), "*")

    def opened(at: datetime, *, key: str = token, app: str = "home", owner: Any = workspace.pk) -> DraftToShow:
        with enter(workspace):
            return open_preview(token=key, workspace_id=owner, app_ref=app, now=at)

    draft = opened(expires - timedelta(seconds=1))
    assert (draft.slug, draft.revision, draft.definition["page"]["title"]) == ("home", 2, "Doubler")
    api.post(f"{base}/apps", {"name": "Other"})
    for wrong in (
        lambda: opened(expires),
        lambda: opened(now, app="other"),
        lambda: opened(now, owner=new_id()),
        lambda: opened(now, key=token[:-1] + ("A" if token[-1] != "A" else "B")),
        lambda: opened(now, key=""),
        lambda: opened(now, key="x" * 10_000),
    ):
        with pytest.raises(PreviewOver):
            wrong()


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\n", "\x1b"])
def test_a_name_has_no_characters_that_steer_the_text_around_it(api: Any, workspace: Any, character: str) -> None:
    given = {"name": f"Pay{character}roll"}
    app = f"/api/v1/workspaces/{workspace.slug}/apps/home"
    apps = app.rpartition("/")[0]
    for answer in (api.post(apps, given), api.patch(app, given), api.post(f"{app}/duplicate", given)):
        assert answer.status_code == 400, answer.content
        assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [("/name", "invalid_name")]
