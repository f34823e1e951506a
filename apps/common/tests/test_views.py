"""What all views share: inputs read strictly, revisions, problems."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.common.errors import StaleRevision
from apps.common.revisions import require_revision, revision_of, update_revision

pytestmark = [pytest.mark.django_db, pytest.mark.urls("apps.common.tests.probe_urls")]


@pytest.fixture
def person(make_user: Any) -> Any:
    return make_user(name="Ann")


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/name", "required"),
        ({"name": None}, "/name", "null"),
        ({"name": ""}, "/name", "blank"),
        ({"name": "much too long"}, "/name", "max_length"),
        ({"name": 5}, "/name", "wrong_type"),
        ({"name": "A", "colour": "red"}, "/colour", "unknown_field"),
        ({"name": "A", "a/b~c": "red"}, "/a~1b~0c", "unknown_field"),
        ({"name": "A", "subscribed": "true"}, "/subscribed", "wrong_type"),
        ({"name": "A", "subscribed": 1}, "/subscribed", "wrong_type"),
        ({"name": "A", "level": "middle"}, "/level", "invalid_choice"),
        ({"name": "A", "level": 3}, "/level", "wrong_type"),
        ({"name": "A", "tags": ["a", 7]}, "/tags/1", "wrong_type"),
        ({"name": "A", "tags": "a"}, "/tags", "not_a_list"),
        ({"name": "A", "part": {"amount": "5"}}, "/part/amount", "wrong_type"),
        ({"name": "A", "part": {"amount": True}}, "/part/amount", "wrong_type"),
        ({"name": "A", "part": {"amount": 0}}, "/part/amount", "min_value"),
        ({"name": "A", "part": {"amount": 1.5}}, "/part/amount", "wrong_type"),
        ({"name": "A", "part": {"amount": 1, "x": 1}}, "/part/x", "unknown_field"),
        ({"name": "A", "parts": [{"amount": 1}, {}]}, "/parts/1/amount", "required"),
        ({"name": "A", "parts": [{"amount": 1}, 7]}, "/parts/1", "wrong_type"),
        ([], "", "wrong_type"),
        ("text", "", "wrong_type"),
        (7, "", "wrong_type"),
    ],
)
def test_wrong_input_is_pointed_at(api: APIClient, body: Any, pointer: str, code: str) -> None:
    answer = api.post("/people", body, format="json")
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["code"] == "invalid_input"
    assert document["request_id"] == answer["X-Request-Id"]
    assert [(error["pointer"], error["code"]) for error in document["errors"]] == [(pointer, code)]


def test_all_that_is_wrong_is_said_at_once(api: APIClient) -> None:
    answer = api.post("/people", {"colour": "red", "level": 3}, format="json")
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/name", "/colour", "/level"}


def test_created_says_where(api: APIClient) -> None:
    answer = api.post("/people", {"name": "Eve"}, format="json")
    assert answer.status_code == 201
    assert answer["Location"] == f"/people/{answer.json()['id']}"
    assert api.get(answer["Location"])["ETag"] == answer["ETag"]


def test_an_etag_spares_the_body(client: APIClient, person: Any) -> None:
    url = f"/people/{person.pk}"
    first = client.get(url)
    tag = first["ETag"]
    assert not tag.startswith("W/")
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get(url, headers={"If-None-Match": known})
        assert again.status_code == 304, known
        assert again.content == b""
        assert again["ETag"] == tag
    head = client.head(url)
    assert (head.status_code, head["ETag"], head.content) == (200, tag, b"")
    assert client.head(url, headers={"If-None-Match": tag}).status_code == 304
    assert client.get(f"{url}?fields=name", headers={"If-None-Match": tag}).status_code == 200
    assert client.get(url, headers={"If-None-Match": '"other"'}).status_code == 200
    assert client.get(url, headers={"If-None-Match": "nonsense"}).status_code == 200


def test_a_stale_change_is_refused(client: Any, person: Any) -> None:
    url = f"/people/{person.pk}"
    tag = client.get(url)["ETag"]

    def rename(name: str, match: str | None) -> Any:
        headers = {"If-Match": match} if match else {}
        return client.patch(url, {"name": name}, content_type="application/json", headers=headers)

    first = rename("One", tag)
    assert first.status_code == 200
    second = rename("Two", tag)
    assert (second.status_code, second.json()["code"]) == (412, "stale_revision")
    assert client.get(url).json()["name"] == "One"
    assert rename("Three", f"W/{first['ETag']}").status_code == 200
    assert rename("Four", None).status_code == 200
    assert rename("Five", "*").status_code == 200
    assert rename("Six", "nonsense").status_code == 400
    assert client.get(url).json()["name"] == "Five"


def test_a_change_that_must_name_its_revision(client: APIClient, person: Any) -> None:
    answer = client.delete(f"/people/{person.pk}")
    assert (answer.status_code, answer.json()["code"]) == (428, "revision_required")
    assert client.delete(f"/people/{person.pk}", headers={"If-Match": "*"}).status_code == 204


def test_the_update_itself_names_the_revision(person: Any) -> None:
    """Two who read the same revision and both passed every check before: one of them writes."""
    one, two = User.objects.get(pk=person.pk), User.objects.get(pk=person.pk)
    known = {revision_of(one)}
    now = person.updated_at
    update_revision(one, known, now=now, name="One")
    with pytest.raises(StaleRevision):
        update_revision(two, known, now=now, name="Two")
    person.refresh_from_db()
    assert person.name == "One"
    assert revision_of(person) == revision_of(one) not in known
    require_revision(person, {revision_of(one)})
    with pytest.raises(StaleRevision):
        require_revision(person, known)


def test_methods_and_media_types(client: APIClient, person: Any) -> None:
    answer = client.put(f"/people/{person.pk}", {}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert set(answer["Allow"].split(", ")) >= {"GET", "PATCH", "DELETE"}
    answer = client.post("/echo", "a=1", content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    options = client.options("/echo")
    assert options.status_code == 204
    assert "POST" in options["Allow"]
    # What isn't in the table is denied, even where there is a method for it.
    assert client.get("/echo?format=csv").status_code == 405
