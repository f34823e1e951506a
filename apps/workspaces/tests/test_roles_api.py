"""Roles, permissions and service accounts by the API."""

from __future__ import annotations

from typing import Any

import pytest

from apps.audit.models import AuditEvent
from apps.common.permissions import registry
from apps.common.tenancy import enter
from apps.workspaces.models import Membership, Role
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def roles(workspace: Any) -> str:
    return f"/api/v1/workspaces/{workspace.slug}/roles"


@pytest.fixture
def accounts(workspace: Any) -> str:
    return f"/api/v1/workspaces/{workspace.slug}/service-accounts"


class TestRoles:
    def test_built_in_roles_are_listed_with_what_they_hold(self, api: Any, roles: str) -> None:
        items = {item["code"]: item for item in api.get(roles).json()["items"]}
        assert set(items) == {"owner", "admin", "developer", "operator", "viewer"}
        assert items["admin"]["built_in"] is True
        assert items["admin"]["permissions"] == sorted(registry.codes_of("admin"))
        assert api.get(f"{roles}/admin").json() == items["admin"]

    def test_custom_role_is_made_used_changed_and_deleted(
        self, api: Any, make_client: Any, make_user: Any, roles: str, workspace: Any
    ) -> None:
        answer = api.post(roles, {"name": "Auditor", "permissions": ["audit.view", "members.view"]})
        assert answer.status_code == 201
        role = answer.json()
        assert (role["code"], role["built_in"]) == ("auditor", False)
        assert api.get(answer["Location"]).json() == role
        ann = make_user()
        add_member(workspace, ann, Role.objects.get(pk=role["id"]))
        client = make_client(ann)
        trail = f"/api/v1/workspaces/{workspace.slug}/audit"
        assert client.get(trail).status_code == 200
        # Fault 12: what is taken from a role is gone on the next request.
        changed = api.patch(f"{roles}/auditor", {"name": "Reader", "permissions": ["members.view"]})
        assert (changed.json()["name"], changed.json()["permissions"]) == ("Reader", ["members.view"])
        assert client.get(trail).status_code == 403
        used = api.delete(f"{roles}/auditor")
        assert (used.status_code, used.json()["code"], used.json()["members"]) == (409, "role_in_use", 1)
        Membership.objects.filter(user=ann).update(status="left")
        assert api.delete(f"{roles}/auditor").status_code == 204
        assert api.get(f"{roles}/auditor").status_code == 404
        assert api.post(roles, {"name": "Auditor", "permissions": []}).json()["code"] == "auditor"
        with enter(workspace):
            acts = set(AuditEvent.objects.filter(target_kind="role").values_list("action", flat=True))
        assert acts == {"role.create", "role.update", "role.delete"}

    def test_role_that_an_open_invitation_offers_stays(self, api: Any, roles: str, workspace: Any) -> None:
        api.post(roles, {"name": "Auditor", "permissions": []})
        api.post(f"/api/v1/workspaces/{workspace.slug}/members", {"email": "a@example.com", "role": "auditor"})
        assert api.delete(f"{roles}/auditor").json()["invitations"] == 1

    @pytest.mark.parametrize("method", ["patch", "delete"])
    def test_built_in_role_can_not_be_changed(self, api: Any, roles: str, method: str) -> None:
        answer = getattr(api, method)(f"{roles}/viewer", {"name": "x"})
        assert (answer.status_code, answer.json()["code"]) == (409, "built_in_role")

    @pytest.mark.parametrize("code", ["viewer", "taken"])
    def test_code_is_given_once(self, api: Any, roles: str, code: str) -> None:
        api.post(roles, {"name": "Taken", "permissions": []})
        answer = api.post(roles, {"name": "Mine", "code": code, "permissions": []})
        assert (answer.status_code, answer.json()["code"]) == (409, "role_code_taken")

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"permissions": []}, "/name"),
            ({"name": "x"}, "/permissions"),
            ({"name": "x", "permissions": ["members.view", "fly"]}, "/permissions/1"),
            ({"name": "x", "permissions": "members.view"}, "/permissions"),
            ({"name": "x", "permissions": [], "code": "No good"}, "/code"),
            ({"name": "x", "permissions": [], "code": "01234567-89ab-cdef-0123-456789abcdef"}, "/code"),
            ({"name": "x" * 101, "permissions": []}, "/name"),
        ],
    )
    def test_bad_input_points_at_the_field(self, api: Any, roles: str, body: Any, pointer: str) -> None:
        answer = api.post(roles, body)
        assert answer.status_code == 400
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    def test_stale_etag_is_refused(self, api: Any, roles: str) -> None:
        api.post(roles, {"name": "Mine", "permissions": []})
        read = api.get(f"{roles}/mine")["ETag"]
        assert api.patch(f"{roles}/mine", {"name": "First"}, headers={"If-Match": read}).status_code == 200
        assert api.patch(f"{roles}/mine", {"name": "Second"}, headers={"If-Match": read}).status_code == 412
        assert api.delete(f"{roles}/mine", headers={"If-Match": read}).status_code == 412

    @pytest.mark.parametrize(("name", "code"), [("Billing", "billing"), ("Admin", "role-admin")])
    def test_code_is_made_from_the_name(self, api: Any, roles: str, name: str, code: str) -> None:
        assert api.post(roles, {"name": name, "permissions": []}).json()["code"] == code

    def test_chinese_name_gets_a_usable_code(self, api: Any, roles: str) -> None:
        code = api.post(roles, {"name": "审计员", "permissions": []}).json()["code"]
        assert api.get(f"{roles}/{code}").json()["name"] == "审计员"

    @pytest.mark.parametrize("role", ["developer", "operator", "viewer"])
    def test_who_does_not_manage_roles_makes_none(
        self, make_client: Any, make_user: Any, workspace: Any, roles: str, role: str
    ) -> None:
        person = make_user()
        add_member(workspace, person, role)
        assert make_client(person).post(roles, {"name": "x", "permissions": []}).status_code == 403
        assert make_client(person).get(roles).status_code == 200


class TestPermissions:
    def test_all_permissions_are_told_with_their_roles(self, api: Any, make_client: Any) -> None:
        items = {item["code"]: item for item in api.get("/api/v1/permissions").json()["items"]}
        assert items["members.manage"]["roles"] == ["admin", "owner"]
        assert all(item["description"] for item in items.values())
        assert make_client().get("/api/v1/permissions").status_code == 401

    def test_one_s_own_permissions_are_told(self, make_client: Any, make_user: Any, workspace: Any) -> None:
        person = make_user()
        add_member(workspace, person, "viewer")
        body = make_client(person).get(f"/api/v1/workspaces/{workspace.slug}/permissions").json()
        assert body == {"role": "viewer", "permissions": sorted(registry.codes_of("viewer"))}


class TestServiceAccounts:
    def test_is_made_listed_and_removed(self, api: Any, accounts: str, workspace: Any) -> None:
        answer = api.post(accounts, {"name": "deploy", "role": "developer"})
        assert answer.status_code == 201
        made = answer.json()
        assert (made["name"], made["role"], made["status"]) == ("deploy", "developer", "active")
        assert api.get(answer["Location"]).json() == made
        assert [item["id"] for item in api.get(accounts).json()["items"]] == [made["id"]]
        members = api.get(f"/api/v1/workspaces/{workspace.slug}/members").json()["items"]
        assert made["id"] not in {item["id"] for item in members}
        assert api.post(accounts, {"name": "deploy", "role": "viewer"}).status_code == 409
        assert api.delete(f"{accounts}/{made['id']}").status_code == 204
        assert api.get(f"{accounts}/{made['id']}").status_code == 404
        assert api.post(accounts, {"name": "deploy", "role": "viewer"}).status_code == 201

    def test_owns_no_workspace(self, api: Any, accounts: str) -> None:
        answer = api.post(accounts, {"name": "deploy", "role": "owner"})
        assert answer.json()["errors"][0]["code"] == "owner_is_a_person"

    @pytest.mark.parametrize("body", [{}, {"name": "x"}, {"name": "", "role": "viewer"}, {"name": "x", "role": "no"}])
    def test_bad_input(self, api: Any, accounts: str, body: Any) -> None:
        assert api.post(accounts, body).status_code == 400

    def test_developers_make_none(self, make_client: Any, make_user: Any, workspace: Any, accounts: str) -> None:
        person = make_user()
        add_member(workspace, person, "developer")
        client = make_client(person)
        assert client.post(accounts, {"name": "x", "role": "viewer"}).status_code == 403
        assert client.get(accounts).status_code == 403

    def test_fault_11_holds_no_more_than_its_maker(
        self, api: Any, make_client: Any, make_user: Any, workspace: Any, accounts: str
    ) -> None:
        api.post(
            f"/api/v1/workspaces/{workspace.slug}/roles",
            {"name": "Robots", "permissions": ["service_accounts.manage", "members.view"]},
        )
        person = make_user()
        add_member(workspace, person, Role.objects.get(code="robots"))
        answer = make_client(person).post(accounts, {"name": "x", "role": "admin"})
        assert (answer.status_code, answer.json()["code"]) == (403, "grants_more_than_held")
