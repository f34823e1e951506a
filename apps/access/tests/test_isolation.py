"""Fault 1: whoever belongs to one workspace learns nothing of another, whichever address, id or body they use."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from apps.access.models import ApiKey, Decision
from apps.audit.models import AuditEvent
from apps.common.ids import new_id
from apps.common.permissions import registry
from apps.common.tenancy import enter
from apps.workspaces.models import Invitation, Membership, Role, Workspace
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db

#: Method, path below the workspace (``{…}`` is the id of something in it), body.
ENDPOINTS: list[tuple[str, str, Any]] = [
    ("get", "members", None),
    ("post", "members", {"email": "x@example.com", "role": "viewer"}),
    ("get", "members/{member}", None),
    ("patch", "members/{member}", {"role": "admin"}),
    ("delete", "members/{member}", None),
    ("get", "invitations", None),
    ("post", "invitations", {"email": "x@example.com", "role": "viewer"}),
    ("get", "invitations/{invitation}", None),
    ("post", "invitations/{invitation}/revoke", {}),
    ("get", "roles", None),
    ("post", "roles", {"name": "x", "permissions": []}),
    ("get", "roles/{role}", None),
    ("patch", "roles/{role}", {"name": "x"}),
    ("delete", "roles/{role}", None),
    ("get", "permissions", None),
    ("get", "service-accounts", None),
    ("post", "service-accounts", {"name": "x", "role": "viewer"}),
    ("get", "service-accounts/{account}", None),
    ("delete", "service-accounts/{account}", None),
    ("get", "api-keys", None),
    ("post", "api-keys", {"name": "x", "scopes": ["members.view"]}),
    ("get", "api-keys/{key}", None),
    ("delete", "api-keys/{key}", None),
    ("post", "api-keys/{key}/rotate", {}),
    ("get", "decisions/{decision}", None),
    ("get", "audit", None),
    ("get", "audit/export?as=csv", None),
]
NESTED = [endpoint for endpoint in ENDPOINTS if "{" in endpoint[1]]


class Furnished:
    """Somebody's own workspace, with one of everything in it."""

    def __init__(self, owner: Any, guest: Any, client: Any) -> None:
        self.workspace, self.owner, self.client = Workspace.objects.get(owner=owner), owner, client
        workspace = self.workspace
        here = f"/api/v1/workspaces/{workspace.slug}"
        ids: dict[str, Any] = {}
        ids["member"] = add_member(workspace, guest, "viewer").pk
        invited = {"email": f"i-{workspace.slug}@example.com", "role": "viewer"}
        ids["invitation"] = client.post(f"{here}/members", invited).json()["id"]
        ids["role"] = client.post(f"{here}/roles", {"name": "Own", "permissions": []}).json()["id"]
        ids["account"] = client.post(f"{here}/service-accounts", {"name": "a", "role": "viewer"}).json()["id"]
        made = client.post(f"{here}/api-keys", {"name": "k", "scopes": sorted(c.code for c in registry.all())}).json()
        ids["key"], self.presented = made["id"], made["key"]
        ids["decision"] = Decision.objects.create(
            at=timezone.now(), workspace_id=workspace.pk, action="GET list", status=403, caller={"id": "x"}
        ).pk
        self.ids = ids

    def snapshot(self) -> Any:
        """Everything that a foreign request could have changed."""
        rows = [
            list(model.objects.filter(**{path: self.workspace.pk}).order_by("pk").values())
            for model, path in (
                (Membership, "workspace_id"),
                (Invitation, "workspace_id"),
                (Role, "workspace_id"),
                (ApiKey, "membership__workspace_id"),
                (Decision, "workspace_id"),
            )
        ]
        with enter(self.workspace):
            return rows, AuditEvent.objects.count()


@pytest.fixture
def guest(make_user: Any) -> Any:
    return make_user()


@pytest.fixture
def mine(make_user: Any, guest: Any, make_client: Any) -> Furnished:
    owner = make_user()
    return Furnished(owner, guest, make_client(owner))


@pytest.fixture
def theirs(make_user: Any, guest: Any, make_client: Any) -> Furnished:
    owner = make_user()
    return Furnished(owner, guest, make_client(owner))


def call(client: Any, endpoint: tuple[str, str, Any], workspace: Any, ids: dict[str, Any]) -> Any:
    method, path, body = endpoint
    address = f"/api/v1/workspaces/{workspace}/{path.format(**ids)}"
    return getattr(client, method)(address) if body is None else getattr(client, method)(address, body)


def said(answer: Any) -> Any:
    """What an answer tells, without the id of its request."""
    body = answer.json()
    body.pop("request_id", None)
    return answer.status_code, body


def every(kind: str) -> Any:
    chosen = NESTED if kind == "nested" else ENDPOINTS
    return pytest.mark.parametrize("endpoint", chosen, ids=lambda endpoint: f"{endpoint[0]} {endpoint[1]}")


@every("all")
def test_fault_1_a_foreign_workspace_is_like_one_that_does_not_exist(
    mine: Furnished, theirs: Furnished, endpoint: tuple[str, str, Any]
) -> None:
    before = theirs.snapshot()
    nowhere = said(call(mine.client, endpoint, "no-such-team", {name: new_id() for name in theirs.ids}))
    assert nowhere[0] == 404
    for ref in (theirs.workspace.slug, theirs.workspace.pk):
        assert said(call(mine.client, endpoint, ref, theirs.ids)) == nowhere
    assert theirs.snapshot() == before


def test_fault_1_a_key_of_another_workspace_is_a_stranger(mine: Furnished, theirs: Furnished, make_client: Any) -> None:
    client = make_client()
    client.credentials(HTTP_AUTHORIZATION=f"Api-Key {mine.presented}")
    answers = {e[:2]: call(client, e, theirs.workspace.slug, theirs.ids).status_code for e in ENDPOINTS}
    assert answers == dict.fromkeys(answers, 404)


@every("nested")
def test_fault_1_a_foreign_id_inside_ones_own_workspace_is_like_one_that_does_not_exist(
    mine: Furnished, theirs: Furnished, endpoint: tuple[str, str, Any]
) -> None:
    before = theirs.snapshot()
    nowhere = said(call(mine.client, endpoint, mine.workspace.slug, {name: new_id() for name in theirs.ids}))
    assert nowhere[0] == 404
    assert said(call(mine.client, endpoint, mine.workspace.slug, theirs.ids)) == nowhere
    assert theirs.snapshot() == before


def test_nobody_is_asked_to_sign_in(theirs: Furnished, make_client: Any) -> None:
    for workspace in (theirs.workspace.slug, "no-such-team"):
        answers = {e[:2]: call(make_client(), e, workspace, theirs.ids).status_code for e in ENDPOINTS}
        assert answers == dict.fromkeys(answers, 401)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("members", {"email": "x@example.com", "role": "{role}"}),
        ("service-accounts", {"name": "x", "role": "{role}"}),
        ("api-keys", {"name": "x", "scopes": ["members.view"], "service_account": "{account}"}),
    ],
)
def test_fault_1_a_foreign_id_in_a_body_is_like_one_that_does_not_exist(
    mine: Furnished, theirs: Furnished, path: str, body: dict[str, Any]
) -> None:
    def post(ids: dict[str, Any]) -> Any:
        filled = {name: value.format(**ids) if isinstance(value, str) else value for name, value in body.items()}
        return said(mine.client.post(f"/api/v1/workspaces/{mine.workspace.slug}/{path}", filled))

    foreign = post(theirs.ids)
    assert foreign[0] == 400
    assert foreign == post({name: new_id() for name in theirs.ids})


@pytest.mark.parametrize("query", ["audit?actor={owner}", "api-keys?member={member}", "audit?target={invitation}"])
def test_fault_1_a_foreign_id_in_a_filter_finds_nothing(mine: Furnished, theirs: Furnished, query: str) -> None:
    ids = {**theirs.ids, "owner": theirs.owner.pk}
    answer = mine.client.get(f"/api/v1/workspaces/{mine.workspace.slug}/{query.format(**ids)}")
    assert (answer.status_code, answer.json()["items"]) == (200, [])


def test_fault_1_what_a_member_may_not_do_is_denied_the_same_for_foreign_ids(
    mine: Furnished, theirs: Furnished, make_client: Any, make_user: Any
) -> None:
    person = make_user()
    add_member(mine.workspace, person, "viewer")
    client = make_client(person)
    for ids in (mine.ids, theirs.ids):
        answer = call(client, ("delete", "roles/{role}", None), mine.workspace.slug, ids)
        assert answer.status_code == 403
