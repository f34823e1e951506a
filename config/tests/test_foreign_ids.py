"""Every address of the API, called by whoever has no business there: with another workspace's name, with the ids of
what lies in it, with a key that holds next to nothing, and by nobody at all.

The addresses are those that Django routes, so a new endpoint is among them from its first day; one that names
something new has to say here what that is (``Furnished.ids``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from apps.access.models import Decision
from apps.applications.tests.factories import make_app, make_definition
from apps.archives.models import WorkspaceExport
from apps.common.actors import SYSTEM
from apps.common.api.permissions import MEMBER
from apps.common.permissions import registry
from apps.common.tenancy import enter
from apps.databases.models import Backup, DatabaseServer, KeptDatabase, WorkspaceDatabase
from apps.databases.services.secrets import seal_password
from apps.operations.models import Operation
from apps.workflows.models import Run
from apps.workflows.tests.factories import create_test_workflow
from apps.workspaces.models import Workspace
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
#: Numbers that every app has, not ids of anything.
_NUMBERS = {"number": 1, "a": 1, "b": 1}
#: What is named outside of any workspace: found by whoever asked for it or whose it is.
_FOUND_BY_THEMSELVES = {"operation", "session"}
#: Bodies without which a request is refused as malformed before anything is looked for.
_BODIES: dict[str, Any] = {
    "patch members/<member>": {"role": "admin"},
    "put apps/<app>/draft": {"definition": make_definition()},
    "post apps/<app>/rollback": {"version": 1},
    "post workflows/<workflow>/validate": {"definition": {"steps": []}},
    "post workflows/<workflow>/run": {"inputs": {"n": 1}},
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one address; ``rule`` is what its view requires."""

    method: str
    route: str
    rule: str

    @property
    def names(self) -> set[str]:
        """What the address names, beside the workspace and plain numbers."""
        return set(_PARAMETER.findall(self.route)) - {"workspace", *_NUMBERS}

    @property
    def in_workspace(self) -> bool:
        return self.route.startswith(("workspaces/<str:workspace>", "billing/workspaces/<str:workspace>"))

    def __str__(self) -> str:
        below = self.route.removeprefix("workspaces/<str:workspace>").removeprefix("/")
        return self.method + " " + _PARAMETER.sub(r"<\1>", below)

    def call(self, client: Any, workspace: Any, ids: dict[str, Any]) -> Any:
        values = {"workspace": workspace, **_NUMBERS, **ids}
        path = _PARAMETER.sub(lambda found: str(values[found[1]]), self.route)
        body = None if self.method in {"get", "delete"} else _BODIES.get(str(self), {})
        headers = {"If-Match": "*"} if self.method == "put" else {}
        return getattr(client, self.method)(
            f"/api/v1/{path}", *([] if body is None else [body]), format="json", headers=headers
        )


def _endpoints(patterns: Any, prefix: str = "") -> Iterator[Endpoint]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _endpoints(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            view: Any = getattr(pattern.callback, "cls", getattr(pattern.callback, "view_class", None))
            actions = getattr(pattern.callback, "actions", None) or {method: method for method in view.required}
            for method, action in actions.items():
                yield Endpoint(method, route, view.required.get(action, ""))


ENDPOINTS = list(_endpoints(get_resolver("config.api_v1").url_patterns))
OF_WORKSPACES = [endpoint for endpoint in ENDPOINTS if endpoint.in_workspace]


class Furnished:
    """Somebody's workspace, with one of everything that an address can name."""

    def __init__(self, owner: Any, guest: Any, client: Any) -> None:
        self.workspace: Any = Workspace.objects.get(owner=owner)
        self.client = client
        self._made("versions", {})  # of the default app, which has shorter addresses
        self.ids: dict[str, Any] = {
            "member": add_member(self.workspace, guest, "viewer").pk,
            "invitation": self._made("members", {"email": f"i-{uuid4().hex}@example.com", "role": "viewer"})["id"],
            "role": self._made("roles", {"name": "Own", "permissions": []})["id"],
            "account": self._made("service-accounts", {"name": "a", "role": "viewer"})["id"],
            "key": self.make_key([declared.code for declared in registry.all()])["id"],
            "decision": Decision.objects.create(
                at=timezone.now(),
                workspace_id=self.workspace.pk,
                action="GET x",
                status=403,
                caller=SYSTEM.as_json(),
                decided_by={"kind": "role", "reason": "x"},
            ).pk,
            "export": WorkspaceExport.objects.create(
                workspace_id=self.workspace.pk, expires_at=timezone.now() + timedelta(days=1)
            ).pk,
            **self._furnish_schema(),
            **self._furnish_billing(),
            **self._furnish_database(),
        }

    def make_key(self, scopes: list[str]) -> dict[str, Any]:
        """A key of the owner's, as it is shown once."""
        return self._made("api-keys", {"name": "k", "scopes": scopes})

    def _made(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.client.post(f"/api/v1/workspaces/{self.workspace.slug}/{path}", body, format="json")
        made: dict[str, Any] = answer.json()
        assert answer.status_code == 201, made
        return made

    def _furnish_schema(self) -> dict[str, Any]:
        with enter(self.workspace):
            return {
                "app": make_app(self.workspace, published=True).pk,
                "workflow": create_test_workflow().pk,
                "run": Run.objects.create(trigger="api", created_at=timezone.now()).pk,
            }

    def _furnish_billing(self) -> dict[str, Any]:
        here = f"/api/v1/billing/workspaces/{self.workspace.slug}"
        use = {"dimension": "ai.tokens", "amount": 1, "idempotency_key": "k"}
        return {
            "event": self.client.post(f"{here}/consume", use, format="json").json()["id"],
            "reservation": self.client.post(f"{here}/reserve", use, format="json").json()["id"],
        }

    def _furnish_database(self) -> dict[str, Any]:
        """Rows only: whoever gets as far as the server behind them was let in too far already."""
        now = timezone.now()
        server = DatabaseServer.objects.create(
            name=f"none-{uuid4().hex[:12]}", host="127.0.0.1", port=1, version=150018
        )
        database = WorkspaceDatabase(
            workspace=self.workspace, server=server, name=f"none_{uuid4().hex[:12]}", status="ready"
        )
        database.secret = seal_password(database, "not a real one")
        database.rotated_at = now
        database.save(force_insert=True)
        operation = Operation.objects.create(
            kind="databases.prove",
            group="databases.prove",
            workspace_id=self.workspace.pk,
            target_kind="backup",
            target_id=str(uuid4()),
            next_attempt_at=now,
            waiting_since=now,
        )
        return {
            "backup": Backup.objects.create(
                database=database,
                workspace_id=self.workspace.pk,
                status="stored",
                storage_key=f"none/{uuid4().hex}",
                started_at=now,
            ).pk,
            "kept": KeptDatabase.objects.create(
                database=database,
                name=f"none_{uuid4().hex[:12]}",
                origin="replaced",
                operation_id=uuid4(),
                keep_until=now + timedelta(days=7),
            ).pk,
            "operation": operation.pk,
        }


@pytest.fixture
def furnish(make_user: Any, make_client: Any) -> Callable[[], Furnished]:
    guest = make_user()

    def make() -> Furnished:
        owner = make_user()
        return Furnished(owner, guest, make_client(owner))

    return make


def with_key(make_client: Any, key: str) -> Any:
    client = make_client()
    client.credentials(HTTP_AUTHORIZATION=f"Api-Key {key}")
    return client


def test_whatever_an_address_names_is_here(furnish: Any) -> None:
    named = set().union(*(endpoint.names for endpoint in ENDPOINTS))
    assert named == set(furnish().ids) | {"session"}
    outside = {name for endpoint in ENDPOINTS if not endpoint.in_workspace for name in endpoint.names}
    assert outside == _FOUND_BY_THEMSELVES


def test_its_owner_finds_all_of_it(furnish: Any) -> None:
    """Else what is asked for below would be missing for everybody."""
    theirs = furnish()
    reads = [endpoint for endpoint in OF_WORKSPACES if endpoint.method == "get"]
    answers = {str(each): each.call(theirs.client, theirs.workspace.slug, theirs.ids).status_code for each in reads}
    assert {name for name, status in answers.items() if status == 404} == set()
    assert theirs.client.get(f"/api/v1/operations/{theirs.ids['operation']}").status_code == 200


@pytest.mark.parametrize("caller", ["person", "key"])
@pytest.mark.parametrize("reference", ["slug", "id"])
def test_fault_1_another_workspace_is_not_there(furnish: Any, make_client: Any, caller: str, reference: str) -> None:
    theirs, mine = furnish(), furnish()
    client = mine.client
    if caller == "key":
        client = with_key(make_client, mine.make_key([declared.code for declared in registry.all()])["key"])
    name = getattr(theirs.workspace, reference)
    asked = [each for each in ENDPOINTS if each.in_workspace or "operation" in each.names]
    answers = {str(each): each.call(client, name, theirs.ids).status_code for each in asked}
    assert {name: status for name, status in answers.items() if status != 404} == {}


def test_fault_1_what_lies_in_another_workspace_is_not_in_ones_own(furnish: Any) -> None:
    theirs, mine = furnish(), furnish()
    asked = [(each, name) for each in OF_WORKSPACES for name in each.names]
    answers = {
        f"{each} with a foreign {name}": each.call(
            mine.client, mine.workspace.slug, {**mine.ids, name: theirs.ids[name]}
        ).status_code
        for each, name in asked
    }
    assert {name: status for name, status in answers.items() if status != 404} == {}


def test_fault_1_what_lies_in_another_workspace_is_not_restored_into_ones_own(furnish: Any) -> None:
    theirs, mine = furnish(), furnish()
    for into_new in (False, True):
        answer = mine.client.post(
            f"/api/v1/workspaces/{mine.workspace.slug}/database/restore",
            {"backup": str(theirs.ids["backup"]), "into_new": into_new},
            format="json",
        )
        assert (answer.status_code, answer.json()["code"]) == (404, "backup_not_found")


def test_a_key_with_one_scope_does_nothing_else(furnish: Any, make_client: Any) -> None:
    theirs = furnish()
    client = with_key(make_client, theirs.make_key(["workspace.view"])["key"])
    asked = [each for each in OF_WORKSPACES if each.rule not in {"workspace.view", MEMBER}]
    answers = {str(each): each.call(client, theirs.workspace.slug, theirs.ids).status_code for each in asked}
    assert {name: status for name, status in answers.items() if status != 403} == {}
    operation = f"/api/v1/operations/{theirs.ids['operation']}"
    assert [client.get(operation).status_code, client.post(f"{operation}/cancel").status_code] == [404, 404]


def test_nobody_is_asked_to_sign_in(furnish: Any, make_client: Any) -> None:
    theirs = furnish()
    asked = [each for each in ENDPOINTS if each.rule != "@open"]
    ids = {**theirs.ids, "session": uuid4()}
    answers = {str(each): each.call(make_client(), theirs.workspace.slug, ids).status_code for each in asked}
    assert {name: status for name, status in answers.items() if status != 401} == {}
