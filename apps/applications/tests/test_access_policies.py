"""Who may visit: what is taken, what is refused, and who may open an app to strangers."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.hashers import check_password

from apps.applications.models import AccessPolicy
from apps.audit.models import AuditEvent
from apps.common.tenancy import enter

pytestmark = pytest.mark.django_db


@pytest.fixture
def policy_url(base: str) -> str:
    return f"{base}/apps/home/access-policy"


def stored(workspace: Any) -> AccessPolicy:
    with enter(workspace):
        policy: AccessPolicy = AccessPolicy.objects.get(app__slug="home")
        return policy


def test_a_new_app_is_for_members(api: Any, policy_url: str) -> None:
    answer = api.get(policy_url)
    assert answer.json() == {
        "audience": "members",
        "roles": [],
        "password_set": False,
        "link_token": None,
        "visitor_limit": 120,
        "app_limit": 60000,
        "session_seconds": 86400,
        "frame_ancestors": [],
        "addresses": [],
        "revision": 1,
    }
    assert answer["ETag"].startswith('"1.')


def test_what_is_given_is_normalised_and_counts_the_revision_up(api: Any, policy_url: str) -> None:
    changes = {
        "audience": "signed_in",
        "roles": ["viewer", "viewer"],
        "addresses": ["192.0.2.0/24", "2001:DB8::1"],
        "frame_ancestors": ["https://Example.org/", "https://*.example.net:8443", "'self'"],
        "visitor_limit": 5,
    }
    answer = api.patch(policy_url, changes)
    assert answer.status_code == 200, answer.json()
    shown = answer.json()
    assert shown["roles"] == ["viewer"]
    assert shown["addresses"] == ["192.0.2.0/24", "2001:db8::1/128"]
    assert shown["frame_ancestors"] == ["https://example.org", "https://*.example.net:8443", "'self'"]
    assert (shown["visitor_limit"], shown["revision"]) == (5, 2)
    assert api.patch(policy_url, changes).json()["revision"] == 2


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"audience": "everybody"}, "/audience", "invalid_choice"),
        ({"audience": "password"}, "/password", "required"),
        ({"password": "short"}, "/password", "min_length"),
        ({"rotate_link": True}, "/rotate_link", "no_link"),
        ({"roles": ["emperor"]}, "/roles/0", "unknown_role"),
        ({"addresses": ["192.0.2.1/24"]}, "/addresses/0", "invalid_addresses"),
        ({"addresses": ["192.0.2.0/24", "here"]}, "/addresses/1", "invalid_addresses"),
        ({"frame_ancestors": ["https://example.org/path"]}, "/frame_ancestors/0", "invalid_frame_ancestors"),
        ({"frame_ancestors": ["https://a.example; script-src *"]}, "/frame_ancestors/0", "invalid_frame_ancestors"),
        ({"frame_ancestors": ["*"]}, "/frame_ancestors/0", "invalid_frame_ancestors"),
        ({"visitor_limit": 0}, "/visitor_limit", "out_of_range"),
        ({"app_limit": 10**12}, "/app_limit", "out_of_range"),
        ({"session_seconds": -1}, "/session_seconds", "out_of_range"),
        ({"addresses": ["192.0.2.1"] * 101}, "/addresses", "too_many"),
        ({"password_hash": "x"}, "/password_hash", "unknown_field"),
    ],
)
def test_what_can_not_be_is_pointed_at(
    api: Any, policy_url: str, workspace: Any, changes: Any, pointer: str, code: str
) -> None:
    answer = api.patch(policy_url, changes)
    assert answer.status_code == 400
    assert (pointer, code) in [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert stored(workspace).revision == 1


def test_a_password_is_kept_as_a_hash_and_never_told(api: Any, policy_url: str, workspace: Any) -> None:
    answer = api.patch(policy_url, {"audience": "password", "password": "open sesame"})
    assert answer.json()["password_set"] is True
    assert "sesame" not in answer.content.decode()
    assert check_password("open sesame", stored(workspace).password_hash)
    with enter(workspace):
        changes = AuditEvent.objects.get(action="app.access.change").changes
    assert changes["password"] == ["••••", "••••"]
    assert api.patch(policy_url, {"password": None}).status_code == 400
    cleared = api.patch(policy_url, {"audience": "members", "password": None})
    assert cleared.json()["password_set"] is False


def test_a_link_is_made_rotated_and_dies_with_its_audience(api: Any, policy_url: str) -> None:
    first = api.patch(policy_url, {"audience": "link"}).json()["link_token"]
    assert len(first) >= 32
    assert api.patch(policy_url, {"visitor_limit": 9}).json()["link_token"] == first
    second = api.patch(policy_url, {"rotate_link": True}).json()["link_token"]
    assert api.patch(policy_url, {"audience": "members"}).json()["link_token"] is None
    third = api.patch(policy_url, {"audience": "link"}).json()["link_token"]
    assert len({first, second, third}) == 3


@pytest.mark.parametrize("audience", ["public", "link", "password"])
def test_opening_to_strangers_needs_the_right_to(
    api: Any, as_role: Any, policy_url: str, workspace: Any, audience: str
) -> None:
    developer = as_role("developer")
    changes = {"audience": audience, **({"password": "open sesame"} if audience == "password" else {})}
    refused = developer.patch(policy_url, changes)
    assert refused.status_code == 403
    assert refused.json()["code"] == "exposure_denied"
    assert refused.json()["decision_id"]
    assert stored(workspace).audience == "members"
    assert developer.patch(policy_url, {"audience": "signed_in"}).status_code == 200
    assert as_role("admin").patch(policy_url, changes).status_code == 200
    assert developer.patch(policy_url, {"visitor_limit": 3}).status_code == 200


def test_the_link_is_shown_to_those_who_may_give_it_away(api: Any, as_role: Any, policy_url: str) -> None:
    api.patch(policy_url, {"audience": "link"})
    assert api.get(policy_url).json()["link_token"]
    assert as_role("developer").get(policy_url).json()["link_token"] is None


def test_of_two_who_change_the_same_revision_one_is_told(api: Any, policy_url: str) -> None:
    tag = api.get(policy_url)["ETag"]
    assert api.patch(policy_url, {"visitor_limit": 7}, headers={"If-Match": tag}).status_code == 200
    assert api.patch(policy_url, {"visitor_limit": 8}, headers={"If-Match": tag}).status_code == 412


@pytest.mark.parametrize("addresses", [[], ["192.0.2.0/24", "198.51.100.0/24"], ["192.0.0.0/16"], ["2001:db8::/32"]])
def test_opening_to_strangers_elsewhere_needs_the_right_to(
    api: Any, as_role: Any, policy_url: str, workspace: Any, addresses: list[str]
) -> None:
    opened = api.patch(policy_url, {"audience": "public", "addresses": ["192.0.2.0/24"]})
    assert opened.status_code == 200
    developer = as_role("developer")
    refused = developer.patch(policy_url, {"addresses": addresses})
    assert (refused.status_code, refused.json()["code"]) == (403, "exposure_denied")
    assert stored(workspace).addresses == ["192.0.2.0/24"]
    assert developer.patch(policy_url, {"addresses": ["192.0.2.7"]}).status_code == 200
    assert developer.patch(policy_url, {"audience": "members", "addresses": []}).status_code == 200
