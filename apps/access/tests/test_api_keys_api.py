"""API keys: what they may do, where, and for how long."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from apps.access.models import ApiKey
from apps.accounts.services.passwords import reset_context
from apps.audit.models import AuditEvent
from apps.common.models import IdempotencyRecord
from apps.common.tenancy import enter
from apps.workspaces.models import Role
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def keys(workspace: Any) -> str:
    return f"/api/v1/workspaces/{workspace.slug}/api-keys"


@pytest.fixture
def members(workspace: Any) -> str:
    return f"/api/v1/workspaces/{workspace.slug}/members"


def program(key: str, **meta: Any) -> APIClient:
    """A client that presents ``key``."""
    client = APIClient(**meta)
    client.credentials(HTTP_AUTHORIZATION=f"Api-Key {key}")
    return client


@pytest.fixture
def make_key(api: Any, keys: str) -> Callable[..., Any]:
    def make(client: Any = None, **body: Any) -> Any:
        answer = (client or api).post(keys, {"name": "CI", "scopes": ["members.view"], **body})
        assert answer.status_code == 201, answer.content
        return answer.json()

    return make


class TestMaking:
    def test_key_is_shown_once_and_kept_as_a_hash(self, api: Any, keys: str, workspace: Any) -> None:
        answer = api.post(keys, {"name": "CI", "scopes": ["members.view"], "addresses": ["10.0.0.1", "2001:DB8::/32"]})
        assert answer.status_code == 201
        made = answer.json()
        assert made["key"].startswith(made["prefix"] + ".")
        assert made["addresses"] == ["10.0.0.1/32", "2001:db8::/32"]
        assert (made["status"], made["last_used_at"], made["expires_at"]) == ("active", None, None)
        assert made["member"]["kind"] == "user"
        shown = api.get(answer["Location"]).json()
        assert shown == {name: value for name, value in made.items() if name != "key"}
        assert api.get(keys).json()["items"] == [shown]
        secret = made["key"].partition(".")[2]
        row = ApiKey.objects.values().get()
        assert secret not in str(row)
        with enter(workspace):
            act = AuditEvent.objects.get(action="api_key.create")
            assert secret not in str(AuditEvent.objects.values().get(pk=act.pk))

    def test_repeat_with_an_idempotency_key_gets_the_same_key_from_a_sealed_answer(self, api: Any, keys: str) -> None:
        body = {"name": "CI", "scopes": ["members.view"]}
        first = api.post(keys, body, headers={"Idempotency-Key": "k-1"})
        again = api.post(keys, body, headers={"Idempotency-Key": "k-1"})
        assert first.json() == again.json()
        assert ApiKey.objects.count() == 1
        record = IdempotencyRecord.objects.get(key="k-1")
        assert record.sealed
        assert first.json()["key"].encode() not in bytes(record.body or b"")

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"scopes": ["members.view"]}, "/name"),
            ({"name": "x"}, "/scopes"),
            ({"name": "x", "scopes": []}, "/scopes"),
            ({"name": "x", "scopes": ["fly"]}, "/scopes/0"),
            ({"name": "x", "scopes": ["members.view"], "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
            ({"name": "x", "scopes": ["members.view"], "expires_at": "soon"}, "/expires_at"),
            ({"name": "x", "scopes": ["members.view"], "addresses": ["10.0.0.0/8", "home"]}, "/addresses/1"),
            (
                {
                    "name": "x",
                    "scopes": ["members.view"],
                    "service_account": "01234567-89ab-7def-8123-456789abcdef",
                },
                "/service_account",
            ),
        ],
    )
    def test_bad_input_points_at_the_field(self, api: Any, keys: str, body: Any, pointer: str) -> None:
        answer = api.post(keys, body)
        assert answer.status_code == 400
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    def test_fault_11_a_key_holds_no_more_than_its_maker(
        self, make_client: Any, make_user: Any, workspace: Any, keys: str
    ) -> None:
        person = make_user()
        add_member(workspace, person, "developer")
        answer = make_client(person).post(keys, {"name": "x", "scopes": ["members.view", "members.manage"]})
        assert (answer.status_code, answer.json()["code"]) == (403, "grants_more_than_held")
        assert answer.json()["missing"] == ["members.manage"]

    def test_fault_11_a_key_makes_no_keys(self, make_key: Any, keys: str) -> None:
        made = make_key(scopes=["keys.manage", "members.view"])
        client = program(made["key"])
        for answer in (
            client.post(keys, {"name": "x", "scopes": ["members.view"]}),
            client.post(f"{keys}/{made['id']}/rotate", {}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "keys_make_no_keys")
        assert ApiKey.objects.count() == 1

    def test_viewers_make_none(self, make_client: Any, make_user: Any, workspace: Any, keys: str) -> None:
        person = make_user()
        add_member(workspace, person, "viewer")
        assert make_client(person).post(keys, {"name": "x", "scopes": ["members.view"]}).status_code == 403


class TestUsing:
    def test_key_does_what_its_scopes_name_and_no_more(self, make_key: Any, members: str, workspace: Any) -> None:
        client = program(make_key()["key"])
        assert client.get(members).status_code == 200
        refused = client.post(members, {"email": "a@example.com", "role": "viewer"})
        assert refused.status_code == 403
        decision = f"/api/v1/workspaces/{workspace.slug}/decisions/{refused.json()['decision_id']}"
        shown = client.get(decision).json()
        assert shown["decided_by"]["kind"] == "scope"
        assert shown["decided_by"]["scopes"] == ["members.view"]
        assert shown["caller"]["kind"] == "api_key"

    def test_key_works_in_its_own_workspace_only(
        self, make_key: Any, make_workspace: Any, user: Any, workspace: Any
    ) -> None:
        client = program(make_key()["key"])
        other = make_workspace(owner=user)
        for ref in (other.slug, other.pk):
            assert client.get(f"/api/v1/workspaces/{ref}/members").status_code == 404
        assert client.get(f"/api/v1/workspaces/{workspace.pk}/members").status_code == 200
        assert client.post("/api/v1/invitations/accept", {"token": "x"}).status_code == 403

    def test_one_query_says_who_calls_and_what_they_may_do(
        self, make_key: Any, workspace: Any, django_assert_num_queries: Any
    ) -> None:
        client = program(make_key()["key"])
        address = f"/api/v1/workspaces/{workspace.slug}/permissions"
        client.get(address)
        with django_assert_num_queries(1):
            assert client.get(address).json() == {"role": "owner", "permissions": ["members.view"]}

    @pytest.mark.parametrize(
        "mangle",
        [
            lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"),
            lambda key: key.partition(".")[0],
            lambda key: key.partition(".")[0] + ".",
            lambda key: "ark_aaaaaaaaaaaa." + key.partition(".")[2],
            lambda key: "",
            lambda key: "\x00." + key,
            lambda key: key + "\xff",
        ],
    )
    def test_wrong_key_is_nobody(self, make_key: Any, members: str, mangle: Callable[[str], str]) -> None:
        answer = program(mangle(make_key()["key"])).get(members)
        assert (answer.status_code, answer.json()["code"]) == (401, "api_key_not_valid")
        assert "WWW-Authenticate" in answer.headers

    def test_fault_12_a_revoked_key_stops_at_once(self, api: Any, make_key: Any, keys: str, members: str) -> None:
        made = make_key()
        client = program(made["key"])
        assert client.get(members).status_code == 200
        assert api.delete(f"{keys}/{made['id']}").status_code == 204
        assert client.get(members).status_code == 401
        assert api.delete(f"{keys}/{made['id']}").status_code == 204
        assert api.get(f"{keys}/{made['id']}").json()["status"] == "revoked"

    @pytest.mark.parametrize("end", ["suspended", "left", "deactivated", "demoted"])
    def test_fault_12_a_members_key_dies_with_their_right(
        self, api: Any, make_client: Any, make_user: Any, make_key: Any, workspace: Any, members: str, end: str
    ) -> None:
        person = make_user()
        membership = add_member(workspace, person, "admin")
        client = program(make_key(make_client(person), scopes=["audit.view"])["key"])
        trail = f"/api/v1/workspaces/{workspace.slug}/audit"
        assert client.get(trail).status_code == 200
        if end == "suspended":
            api.patch(f"{members}/{membership.pk}", {"status": "suspended"})
        elif end == "left":
            api.delete(f"{members}/{membership.pk}")
            assert ApiKey.objects.get().status == "revoked"
        elif end == "deactivated":
            type(person).objects.filter(pk=person.pk).update(is_active=False)
        else:
            api.patch(f"{members}/{membership.pk}", {"role": "viewer"})
        assert client.get(trail).status_code == (403 if end == "demoted" else 401)

    def test_expired_key_is_nobody(self, make_key: Any, members: str) -> None:
        made = make_key(expires_at=(timezone.now() + timedelta(hours=1)).isoformat())
        client = program(made["key"])
        assert client.get(members).status_code == 200
        ApiKey.objects.update(expires_at=timezone.now())
        assert client.get(members).status_code == 401

    def test_key_works_from_its_addresses_only(self, make_key: Any, members: str) -> None:
        made = make_key(addresses=["203.0.113.0/24", "2001:db8::1"])
        for address, status in (
            ("203.0.113.7", 200),
            ("2001:db8::1", 200),
            ("::ffff:203.0.113.7", 200),
            ("203.0.114.7", 403),
            ("2001:db8::2", 403),
            ("unknown", 403),
        ):
            answer = program(made["key"], REMOTE_ADDR=address).get(members)
            assert answer.status_code == status, address
        assert answer.json()["code"] == "address_not_allowed"
        assert program(made["key"] + "x", REMOTE_ADDR="203.0.114.7").get(members).status_code == 401

    def test_last_use_is_written_once_a_minute(self, make_key: Any, members: str, settings: Any) -> None:
        client = program(make_key()["key"])
        client.get(members)
        first = ApiKey.objects.get().last_used_at
        assert first is not None
        client.get(members)
        assert ApiKey.objects.get().last_used_at == first
        ApiKey.objects.update(last_used_at=first - settings.API_KEY_LAST_USED_INTERVAL)
        client.get(members)
        assert ApiKey.objects.get().last_used_at > first


class TestRotating:
    def test_both_keys_work_during_the_overlap(self, api: Any, make_key: Any, keys: str, members: str) -> None:
        old = make_key()
        answer = api.post(f"{keys}/{old['id']}/rotate", {"overlap_seconds": 3600})
        assert answer.status_code == 201
        new = answer.json()
        assert new["key"] != old["key"]
        assert (new["scopes"], new["name"]) == (old["scopes"], old["name"])
        assert program(old["key"]).get(members).status_code == 200
        assert program(new["key"]).get(members).status_code == 200
        row = ApiKey.objects.get(pk=old["id"])
        assert str(row.replaced_by_id) == new["id"]
        assert row.expires_at is not None
        assert timedelta(minutes=59) < row.expires_at - timezone.now() <= timedelta(hours=1)
        again = api.post(f"{keys}/{old['id']}/rotate", {})
        assert (again.status_code, again.json()["code"]) == (409, "api_key_not_active")

    def test_without_overlap_the_old_key_stops_at_once(self, api: Any, make_key: Any, keys: str, members: str) -> None:
        old = make_key()
        api.post(f"{keys}/{old['id']}/rotate", {"overlap_seconds": 0})
        assert program(old["key"]).get(members).status_code == 401

    @pytest.mark.parametrize("body", [{"overlap_seconds": -1}, {"overlap_seconds": "x"}, {"overlap_seconds": 10**9}])
    def test_bad_input(self, api: Any, make_key: Any, keys: str, body: Any) -> None:
        assert api.post(f"{keys}/{make_key()['id']}/rotate", body).status_code == 400

    def test_nobody_gets_the_key_of_another_person(
        self, api: Any, make_client: Any, make_user: Any, make_key: Any, workspace: Any, keys: str
    ) -> None:
        person = make_user()
        add_member(workspace, person, "developer")
        theirs = make_key(make_client(person))
        refused = api.post(f"{keys}/{theirs['id']}/rotate", {})
        assert (refused.status_code, refused.json()["code"]) == (403, "not_your_key")
        assert theirs["id"] in {item["id"] for item in api.get(keys).json()["items"]}
        assert api.delete(f"{keys}/{theirs['id']}").status_code == 204

    def test_developers_see_and_revoke_their_own_only(
        self, make_client: Any, make_user: Any, make_key: Any, workspace: Any, keys: str
    ) -> None:
        owners = make_key()
        person = make_user()
        add_member(workspace, person, "developer")
        client = make_client(person)
        mine = make_key(client)
        assert [item["id"] for item in client.get(keys).json()["items"]] == [mine["id"]]
        assert client.get(f"{keys}/{owners['id']}").status_code == 404
        assert client.delete(f"{keys}/{owners['id']}").status_code == 404
        assert client.post(f"{keys}/{owners['id']}/rotate", {}).status_code == 404


class TestServiceAccountKeys:
    @pytest.fixture
    def robot(self, api: Any, workspace: Any) -> str:
        address = f"/api/v1/workspaces/{workspace.slug}/service-accounts"
        return str(api.post(address, {"name": "deploy", "role": "developer"}).json()["id"])

    def test_key_outlives_whoever_made_it(
        self, api: Any, make_client: Any, make_user: Any, make_key: Any, workspace: Any, members: str, robot: str
    ) -> None:
        person = make_user()
        maker = add_member(workspace, person, "admin")
        made = make_key(make_client(person), service_account=robot)
        assert made["member"] == {"id": robot, "kind": "service_account", "name": "deploy"}
        assert api.delete(f"{members}/{maker.pk}").status_code == 204
        assert program(made["key"]).get(members).status_code == 200

    def test_acts_under_its_own_name(self, make_key: Any, workspace: Any, members: str, robot: str) -> None:
        made = make_key(service_account=robot, scopes=["members.view"])
        refused = program(made["key"]).post(members, {"email": "a@example.com", "role": "viewer"})
        assert refused.status_code == 403
        with enter(workspace):
            act = AuditEvent.objects.get(action="access.refused")
        assert (act.actor_kind, act.actor_name, str(act.actor_id)) == ("service_account", "deploy", robot)

    def test_fault_12_is_out_at_once_when_removed(
        self, api: Any, make_key: Any, workspace: Any, members: str, robot: str
    ) -> None:
        client = program(make_key(service_account=robot)["key"])
        assert client.get(members).status_code == 200
        api.delete(f"/api/v1/workspaces/{workspace.slug}/service-accounts/{robot}")
        assert client.get(members).status_code == 401

    def test_fault_11_its_role_confines_its_keys(self, make_key: Any, members: str, robot: str) -> None:
        client = program(make_key(service_account=robot, scopes=["members.view", "members.manage"])["key"])
        refused = client.post(members, {"email": "a@example.com", "role": "viewer"})
        assert refused.status_code == 403

    def test_developers_make_no_keys_for_it(
        self, make_client: Any, make_user: Any, workspace: Any, keys: str, robot: str
    ) -> None:
        person = make_user()
        add_member(workspace, person, "developer")
        body = {"name": "x", "scopes": ["members.view"], "service_account": robot}
        answer = make_client(person).post(keys, body)
        assert (answer.status_code, answer.json()["permission"]) == (403, "service_accounts.manage")

    def test_fault_11_a_key_of_it_is_not_rotated_by_who_holds_less(
        self, make_client: Any, make_user: Any, make_key: Any, workspace: Any, keys: str, robot: str
    ) -> None:
        made = make_key(service_account=robot, scopes=["members.view", "audit.view"])
        role = Role.objects.create(
            workspace=workspace, code="keeper", name="Keeper", codes=["service_accounts.manage", "keys.manage"]
        )
        person = make_user()
        add_member(workspace, person, role)
        answer = make_client(person).post(f"{keys}/{made['id']}/rotate", {})
        assert (answer.status_code, answer.json()["code"]) == (403, "grants_more_than_held")


class TestResetOfAnAccountWhoseAddressWasNeverProved:
    @pytest.mark.parametrize("way", ["by the API", "on the page"])
    @pytest.mark.parametrize("proved", [False, True])
    def test_keys_of_whoever_registered_it_die(
        self, workspace: Any, user: Any, make_key: Any, api: Any, members: str, way: str, proved: bool
    ) -> None:
        base = f"/api/v1/workspaces/{workspace.slug}"
        account = api.post(f"{base}/service-accounts", {"name": "robot", "role": "viewer"}).json()
        secrets = [make_key()["key"], make_key(service_account=account["id"])["key"]]
        told = {"verified": proved, "primary": True}
        EmailAddress.objects.update_or_create(user=user, email=user.email, defaults=told)
        assert [program(key).get(members).status_code for key in secrets] == [200, 200]
        reset, new = reset_context(user), "another good phrase 43"
        if way == "by the API":
            given = {"key": reset["key"], "password": new}
            assert APIClient().post("/api/v1/auth/password/reset", given, format="json").status_code == 204
        else:
            page = Client()
            form = page.get(reset["password_reset_url"], follow=True).request["PATH_INFO"]
            assert page.post(form, {"password1": new, "password2": new}).status_code == 302
        expected = [200, 200] if proved else [401, 401]
        assert [program(key).get(members).status_code for key in secrets] == expected
        with enter(workspace):
            assert AuditEvent.objects.filter(action="api_key.revoke").count() == (0 if proved else 2)

    def test_keys_of_others_stay(
        self, workspace: Any, user: Any, make_user: Any, make_key: Any, make_client: Any, members: str
    ) -> None:
        other = make_user()
        add_member(workspace, other, "admin")
        key = make_key(make_client(other))["key"]
        EmailAddress.objects.filter(user=user).update(verified=False)
        given = {"key": reset_context(user)["key"], "password": "another good phrase 43"}
        assert APIClient().post("/api/v1/auth/password/reset", given, format="json").status_code == 204
        assert program(key).get(members).status_code == 200
