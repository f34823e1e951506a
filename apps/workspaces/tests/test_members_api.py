"""Members by the API: who sees them, who changes them, and that an owner is always left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from apps.accounts.tests.factories import UserFactory
from apps.audit.models import AuditEvent
from apps.common.tenancy import enter
from apps.events.models import Event
from apps.workspaces.models import Invitation, Membership, Role, Workspace
from apps.workspaces.tests.factories import add_member, create_test_workspace, token_from_mail

HERE = "/api/v1/workspaces"


def url_of(workspace: Any, member: Any = None) -> str:
    return f"{HERE}/{workspace.slug}/members" + (f"/{member.pk}" if member else "")


def membership_of(workspace: Any, user: Any) -> Membership:
    return Membership.objects.get(workspace=workspace, user=user)


@pytest.mark.django_db
class TestReading:
    def test_list_shows_people_in_the_shape_of_the_contract(self, api: Any, workspace: Any, user: Any) -> None:
        body = api.get(url_of(workspace)).json()
        assert (body["next"], body["previous"]) == (None, None)
        [item] = body["items"]
        assert item["user"] == {"id": str(user.pk), "email": user.email, "name": user.name}
        assert (item["role"], item["status"]) == ("owner", "active")
        assert item["id"] == str(membership_of(workspace, user).pk)
        assert "joined_at" in item

    def test_list_pages_searches_filters_and_leaves_out_who_has_left(
        self, api: Any, workspace: Any, make_user: Any
    ) -> None:
        for number in range(3):
            add_member(workspace, make_user(name=f"测试员{number}"), "viewer")
        gone = add_member(workspace, make_user(name="Gone"), "viewer")
        Membership.objects.filter(pk=gone.pk).update(status="left")
        first = api.get(url_of(workspace), {"limit": 2}).json()
        second = api.get(first["next"]).json()
        assert [len(page["items"]) for page in (first, second)] == [2, 2]
        assert len(api.get(url_of(workspace), {"q": "测试"}).json()["items"]) == 3
        assert len(api.get(url_of(workspace), {"role": "owner"}).json()["items"]) == 1
        assert len(api.get(url_of(workspace), {"status": "suspended"}).json()["items"]) == 0
        assert api.get(url_of(workspace), {"status": "gone"}).status_code == 400

    def test_number_of_queries_does_not_grow_with_the_page(
        self, api: Any, workspace: Any, make_user: Any, django_assert_max_num_queries: Any
    ) -> None:
        for _ in range(10):
            add_member(workspace, make_user(), "viewer")
        with django_assert_max_num_queries(3):
            assert len(api.get(url_of(workspace)).json()["items"]) == 11

    def test_one_member_has_an_etag(self, api: Any, workspace: Any, user: Any) -> None:
        address = url_of(workspace, membership_of(workspace, user))
        answer = api.get(address)
        assert answer.status_code == 200
        assert api.get(address, headers={"If-None-Match": answer["ETag"]}).status_code == 304


@pytest.mark.django_db
class TestInviting:
    def test_adding_a_member_is_an_invitation(self, api: Any, workspace: Any) -> None:
        answer = api.post(url_of(workspace), {"email": "Ann@example.com", "role": "developer"})
        assert answer.status_code == 201
        body = answer.json()
        assert (body["email"], body["role"], body["status"]) == ("ann@example.com", "developer", "pending")
        assert "token" not in answer.content.decode()
        assert api.get(answer["Location"]).json()["id"] == body["id"]
        assert not Membership.objects.filter(workspace=workspace, user__email="ann@example.com").exists()

    def test_the_whole_way_to_a_colleague(self, api: Any, make_client: Any, make_user: Any, workspace: Any) -> None:
        api.post(url_of(workspace), {"email": "ann@example.com", "role": "viewer"})
        token = token_from_mail()
        ann = make_client(make_user(email="ann@example.com"))
        assert ann.get(url_of(workspace)).status_code == 404
        answer = ann.post("/api/v1/invitations/accept", {"token": token})
        assert answer.status_code == 200
        assert answer.json()["workspace"]["slug"] == workspace.slug
        assert (answer.json()["role"], answer.json()["status"]) == ("viewer", "active")
        assert ann.get(url_of(workspace)).status_code == 200
        assert ann.post(url_of(workspace), {"email": "x@example.com", "role": "viewer"}).status_code == 403
        again = ann.post("/api/v1/invitations/accept", {"token": token})
        assert (again.status_code, again.json()["code"]) == (409, "invitation_spent")
        with enter(workspace):
            assert set(AuditEvent.objects.values_list("action", flat=True)) >= {
                "invitation.create",
                "invitation.accept",
                "access.refused",
            }
        assert Event.objects.filter(type="member.joined", workspace_id=workspace.pk).count() == 1

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"role": "viewer"}, "/email"),
            ({"email": "ann", "role": "viewer"}, "/email"),
            ({"email": "ann@example.com"}, "/role"),
            ({"email": "ann@example.com", "role": "king"}, "/role"),
            ({"email": "ann@example.com", "role": 5}, "/role"),
            ({"email": "ann@example.com", "role": "viewer", "admin": True}, "/admin"),
        ],
    )
    def test_bad_input_points_at_the_field(self, api: Any, workspace: Any, body: Any, pointer: str) -> None:
        answer = api.post(url_of(workspace), body)
        assert answer.status_code == 400
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    def test_invitation_is_listed_and_revoked(self, api: Any, workspace: Any) -> None:
        here = f"{HERE}/{workspace.slug}/invitations"
        made = api.post(here, {"email": "ann@example.com", "role": "viewer"}).json()
        assert [item["id"] for item in api.get(here, {"status": "pending"}).json()["items"]] == [made["id"]]
        revoked = api.post(f"{here}/{made['id']}/revoke")
        assert (revoked.status_code, revoked.json()["status"]) == (200, "revoked")
        again = api.post(f"{here}/{made['id']}/revoke")
        assert (again.status_code, again.json()["code"]) == (409, "illegal_transition")

    def test_fault_13_refusals_of_a_token(self, api: Any, make_client: Any, make_user: Any, workspace: Any) -> None:
        api.post(url_of(workspace), {"email": "ann@example.com", "role": "viewer"})
        token = token_from_mail()
        bob = make_client(make_user(email="bob@example.com"))
        other = bob.post("/api/v1/invitations/accept", {"token": token})
        assert (other.status_code, other.json()["code"]) == (403, "invitation_for_another_address")
        assert "ann@" not in other.content.decode()
        assert bob.post("/api/v1/invitations/accept", {"token": "no"}).status_code == 404
        assert bob.post("/api/v1/invitations/accept", {}).status_code == 400
        Invitation.objects.update(expires_at=Invitation.objects.get().created_at)
        ann = make_client(make_user(email="ann@example.com"))
        late = ann.post("/api/v1/invitations/accept", {"token": token})
        assert (late.status_code, late.json()["code"]) == (410, "invitation_expired")
        assert make_client().post("/api/v1/invitations/accept", {"token": token}).status_code == 401


@pytest.mark.django_db
class TestChanging:
    def test_fault_12_a_changed_role_counts_on_the_next_request(
        self, api: Any, make_client: Any, make_user: Any, workspace: Any
    ) -> None:
        ann = make_user()
        member = add_member(workspace, ann, "admin")
        client = make_client(ann)
        assert client.get(f"{HERE}/{workspace.slug}/audit").status_code == 200
        answer = api.patch(url_of(workspace, member), {"role": "viewer"})
        assert (answer.status_code, answer.json()["role"]) == (200, "viewer")
        assert client.get(f"{HERE}/{workspace.slug}/audit").status_code == 403
        with enter(workspace):
            act = AuditEvent.objects.get(action="member.update")
        assert act.changes == {"role": ["admin", "viewer"]}
        assert act.target_id == str(member.pk)

    def test_fault_12_a_suspended_member_is_out_at_once_and_comes_back(
        self, api: Any, make_client: Any, make_user: Any, workspace: Any
    ) -> None:
        ann = make_user()
        member = add_member(workspace, ann, "viewer")
        client = make_client(ann)
        assert api.patch(url_of(workspace, member), {"status": "suspended"}).json()["status"] == "suspended"
        assert client.get(url_of(workspace)).status_code == 404
        assert api.patch(url_of(workspace, member), {"status": "active"}).status_code == 200
        assert client.get(url_of(workspace)).status_code == 200

    def test_fault_12_a_removed_member_is_out_at_once(
        self, api: Any, make_client: Any, make_user: Any, workspace: Any
    ) -> None:
        ann = make_user()
        member = add_member(workspace, ann, "viewer")
        assert api.delete(url_of(workspace, member)).status_code == 204
        assert make_client(ann).get(url_of(workspace)).status_code == 404
        assert api.get(url_of(workspace, member)).status_code == 404

    def test_stale_etag_is_refused(self, api: Any, make_user: Any, workspace: Any) -> None:
        member = add_member(workspace, make_user(), "viewer")
        address = url_of(workspace, member)
        read = api.get(address)["ETag"]
        assert api.patch(address, {"role": "developer"}, headers={"If-Match": read}).status_code == 200
        stale = api.patch(address, {"role": "viewer"}, headers={"If-Match": read})
        assert (stale.status_code, stale.json()["code"]) == (412, "stale_revision")
        assert api.delete(address, headers={"If-Match": read}).status_code == 412
        assert api.get(address).json()["role"] == "developer"

    def test_anyone_may_leave_but_remove_nobody(
        self, make_client: Any, make_user: Any, workspace: Any, user: Any
    ) -> None:
        ann, bob = make_user(), make_user()
        mine, his = add_member(workspace, ann, "viewer"), add_member(workspace, bob, "viewer")
        client = make_client(ann)
        refused = client.delete(url_of(workspace, his))
        assert refused.status_code == 403
        decision = client.get(f"{HERE}/{workspace.slug}/decisions/{refused.json()['decision_id']}").json()
        assert (decision["code"], decision["status"]) == ("members.manage", 403)
        assert decision["caller"]["id"] == str(ann.pk)
        assert decision["decided_by"]["role"] == "viewer"
        assert client.delete(url_of(workspace, mine)).status_code == 204
        assert client.get(url_of(workspace)).status_code == 404

    @pytest.mark.parametrize("body", [{"status": "left"}, {"role": "nothing"}, {"role": None}, {"name": "x"}, []])
    def test_bad_input(self, api: Any, make_user: Any, workspace: Any, body: Any) -> None:
        member = add_member(workspace, make_user(), "viewer")
        assert api.patch(url_of(workspace, member), body).status_code == 400

    @pytest.mark.parametrize("role", ["developer", "operator", "viewer"])
    def test_who_does_not_manage_members_changes_none(
        self, make_client: Any, make_user: Any, workspace: Any, role: str
    ) -> None:
        ann = make_user()
        add_member(workspace, ann, role)
        member = add_member(workspace, make_user(), "viewer")
        answer = make_client(ann).patch(url_of(workspace, member), {"role": "viewer"})
        assert (answer.status_code, answer.json()["permission"]) == (403, "members.manage")


@pytest.mark.django_db
class TestGrantingNoMoreThanHeld:
    @pytest.fixture
    def admin(self, make_client: Any, make_user: Any, workspace: Any) -> Any:
        person = make_user()
        add_member(workspace, person, "admin")
        return make_client(person)

    def test_fault_11_an_admin_makes_no_owner(self, admin: Any, make_user: Any, workspace: Any) -> None:
        member = add_member(workspace, make_user(), "viewer")
        answer = admin.patch(url_of(workspace, member), {"role": "owner"})
        assert (answer.status_code, answer.json()["code"]) == (403, "grants_more_than_held")
        assert "workspace.transfer" in answer.json()["missing"]
        assert answer.json()["decision_id"]
        member.refresh_from_db()
        assert member.role.code == "viewer"
        assert admin.patch(url_of(workspace, member), {"role": "admin"}).status_code == 200

    def test_fault_11_an_admin_takes_nothing_from_an_owner(self, admin: Any, workspace: Any, user: Any) -> None:
        owner = membership_of(workspace, user)
        for answer in (
            admin.patch(url_of(workspace, owner), {"role": "viewer"}),
            admin.patch(url_of(workspace, owner), {"status": "suspended"}),
            admin.delete(url_of(workspace, owner)),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "grants_more_than_held")

    def test_fault_11_a_custom_role_is_no_way_around(self, admin: Any, make_user: Any, workspace: Any) -> None:
        here = f"{HERE}/{workspace.slug}/roles"
        more = admin.post(here, {"name": "More", "permissions": ["workspace.transfer"]})
        assert (more.status_code, more.json()["code"]) == (403, "grants_more_than_held")
        made = admin.post(here, {"name": "Less", "permissions": ["members.view"]}).json()
        grown = admin.patch(f"{here}/{made['id']}", {"permissions": ["members.view", "workspace.close"]})
        assert grown.status_code == 403
        Role.objects.filter(pk=made["id"]).update(codes=["workspace.close"])
        assert admin.patch(f"{here}/{made['id']}", {"permissions": []}).status_code == 403
        assert admin.post(url_of(workspace), {"email": "a@example.com", "role": "less"}).status_code == 403


@pytest.mark.django_db
class TestLastOwner:
    def test_last_owner_stays(self, api: Any, workspace: Any, user: Any) -> None:
        address = url_of(workspace, membership_of(workspace, user))
        for answer in (
            api.patch(address, {"role": "admin"}),
            api.patch(address, {"status": "suspended"}),
            api.delete(address),
        ):
            assert (answer.status_code, answer.json()["code"]) == (409, "last_owner")
        assert membership_of(workspace, user).role.code == "owner"

    @pytest.mark.parametrize("idle", ["suspended", "deactivated", "service account"])
    def test_an_owner_who_does_not_count_is_no_other_owner(
        self, api: Any, workspace: Any, user: Any, make_user: Any, idle: str
    ) -> None:
        second = add_member(workspace, make_user(), "owner")
        if idle == "suspended":
            Membership.objects.filter(pk=second.pk).update(status="suspended")
        elif idle == "deactivated":
            type(user).objects.filter(pk=second.user_id).update(is_active=False)
        else:
            Membership.objects.filter(pk=second.pk).update(user=None, service_account_name="robot")
        assert api.delete(url_of(workspace, membership_of(workspace, user))).status_code == 409

    def test_owner_of_record_is_followed_by_another_owner(
        self, api: Any, workspace: Any, user: Any, make_user: Any
    ) -> None:
        heir = make_user()
        add_member(workspace, heir, "owner")
        assert api.delete(url_of(workspace, membership_of(workspace, user))).status_code == 204
        workspace.refresh_from_db()
        assert workspace.owner_id == heir.pk


@pytest.mark.parametrize("way", ["leave", "demote", "suspend", "demote each other"])
def test_fault_10_of_two_owners_who_go_at_once_one_stays(committed_database: str, way: str) -> None:
    from rest_framework.test import APIClient

    first, second = UserFactory(), UserFactory()
    workspace = create_test_workspace(owner=first)
    members = [membership_of(workspace, first), add_member(workspace, second, "owner")]
    targets = members[::-1] if way == "demote each other" else members
    barrier = Barrier(2)

    def go(position: int) -> int:
        client = APIClient()
        client.force_authenticate((first, second)[position])
        address = url_of(workspace, targets[position])
        barrier.wait()
        try:
            if way == "leave":
                return client.delete(address).status_code
            body = {"status": "suspended"} if way == "suspend" else {"role": "viewer"}
            return client.patch(address, body).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(go, range(2)))
    # Whoever comes second may already be without the right to try.
    assert statuses[0] in {200, 204}
    assert statuses[1] in {409, 403, 404}
    owners = Membership.objects.filter(workspace=workspace, status="active", role__code="owner")
    assert owners.count() == 1
    assert Workspace.objects.get(pk=workspace.pk).owner_id == owners.get().user_id
