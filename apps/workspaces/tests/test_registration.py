"""Registering over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from apps.workspaces.models import SchemaSlot

URL = "/api/v1/auth/register"
BODY = {"email": "ada@example.com", "password": "a long enough phrase 7", "name": "Ada Lovelace"}


@pytest.mark.usefixtures("db")
def test_register_answers_the_person_and_their_workspace(make_client: Any) -> None:
    answer = make_client().post(URL, BODY, format="json")
    assert answer.status_code == 201, answer.json()
    body = answer.json()
    assert set(body) == {"user", "workspace"}
    assert (body["user"]["email"], body["user"]["name"]) == ("ada@example.com", "Ada Lovelace")
    assert body["user"]["email_verified"] is False
    assert "password" not in answer.content.decode()
    assert (body["workspace"]["status"], body["workspace"]["role"]) == ("active", "owner")
    assert body["workspace"]["default_app"]


@pytest.mark.usefixtures("db")
def test_register_works_while_the_pool_is_empty(make_client: Any) -> None:
    SchemaSlot.objects.update(fingerprint="older")
    body = make_client().post(URL, BODY, format="json").json()
    assert body["workspace"]["status"] == "provisioning"


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"email": "nonsense"}, "/email"),
        ({"email": None}, "/email"),
        ({"password": "short"}, "/password"),
        ({"password": "password"}, "/password"),
        ({"surprise": 1}, "/surprise"),
    ],
)
def test_register_refuses_bad_input(make_client: Any, change: dict[str, Any], pointer: str) -> None:
    answer = make_client().post(URL, {**BODY, **change}, format="json")
    assert answer.status_code == 400
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


@pytest.mark.usefixtures("db")
def test_register_twice_is_a_conflict(make_client: Any) -> None:
    make_client().post(URL, BODY, format="json")
    answer = make_client().post(URL, {**BODY, "email": "ADA@example.com"}, format="json")
    assert answer.status_code in {400, 409}
