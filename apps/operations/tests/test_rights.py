"""Who may cancel and retry what: nobody does by way of an operation what they could not have asked for themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.accounts.tests.factories import browser_of
from apps.common.actors import SYSTEM
from apps.common.permissions import registry
from apps.operations.models import Operation
from apps.operations.services.kinds import registered_kinds
from apps.operations.services.rights import right_of
from apps.workspaces.models import Workspace
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db

#: Those that belong to no workspace: a schema for the pool, and an import, which is of whoever asked for it.
_OF_NO_WORKSPACE = {"billing.apply_plan", "workspaces.make_slot", "workspaces.import"}


def an_operation(workspace: Any, kind: str, status: str) -> Operation:
    now = timezone.now()
    operation: Operation = Operation.objects.create(
        kind=kind,
        group=kind,
        workspace_id=workspace.pk,
        target_kind="probe",
        target_id=str(uuid4()),
        status=status,
        next_attempt_at=now + timedelta(hours=1),
        waiting_since=now,
        finished_at=now if status == "failed" else None,
        requested_by=SYSTEM.as_json(),
    )
    return operation


def try_both(client: Any, workspace: Any, kind: str) -> list[int]:
    """What cancelling a waiting one and retrying a failed one are answered."""
    waiting, failed = (an_operation(workspace, kind, status) for status in ("queued", "failed"))
    return [
        client.post(f"/api/v1/operations/{waiting.pk}/cancel").status_code,
        client.post(f"/api/v1/operations/{failed.pk}/retry").status_code,
    ]


def member_of(workspace: Any, role: str, make_user: Any) -> Any:
    person = make_user()
    add_member(workspace, person, role)
    return person


def test_every_kind_of_a_workspace_names_the_right_to_manage_it() -> None:
    kinds = {kind.name for kind in registered_kinds() if not kind.name.startswith("probe.")}
    assert {kind for kind in kinds if right_of(kind) is None} == _OF_NO_WORKSPACE
    assert {right_of(kind) for kind in kinds - _OF_NO_WORKSPACE} <= {declared.code for declared in registry.all()}


@pytest.mark.parametrize(
    "kind",
    [
        "databases.restore",
        "databases.swap_back",
        "databases.migrate",
        "databases.provision",
        "databases.delete",
        "databases.rotate",
        "workspaces.export",
        "workspaces.purge",
        "workspaces.finish",
    ],
)
def test_who_may_manage_operations_may_not_thereby_do_all_that_they_do(
    workspace: Any, make_user: Any, make_client: Any, kind: str
) -> None:
    client = make_client(member_of(workspace, "operator", make_user))
    assert try_both(client, workspace, kind) == [403, 403]
    assert set(Operation.objects.filter(kind=kind).values_list("status", flat=True)) == {"queued", "failed"}
    refused = client.post(f"/api/v1/operations/{an_operation(workspace, kind, 'queued').pk}/cancel").json()
    assert refused["code"] == "permission_denied"
    assert refused["decision_id"]


def test_operators_of_a_workspace_manage_what_they_may_ask_for(
    api: Any, workspace: Any, make_user: Any, make_client: Any
) -> None:
    client = make_client(member_of(workspace, "operator", make_user))
    assert try_both(client, workspace, "databases.prove") == [200, 200]
    waiting = an_operation(workspace, "databases.rotate", "queued")
    assert api.post(f"/api/v1/operations/{waiting.pk}/cancel").json()["status"] == "canceled"


def test_a_kind_that_this_release_does_not_know_is_nobodys_to_manage(api: Any, workspace: Any) -> None:
    assert try_both(api, workspace, "future.kind") == [403, 403]


def test_a_key_manages_what_its_scopes_ask_for(api: Any, workspace: Any, make_client: Any) -> None:
    def client_with(*scopes: str) -> Any:
        made = api.post(
            f"/api/v1/workspaces/{workspace.slug}/api-keys", {"name": "k", "scopes": list(scopes)}, format="json"
        )
        client = make_client()
        client.credentials(HTTP_AUTHORIZATION=f"Api-Key {made.json()['key']}")
        return client

    kind = "databases.rotate"
    assert try_both(client_with("operations.view", "operations.manage"), workspace, kind) == [403, 403]
    assert try_both(client_with("operations.view", "databases.manage"), workspace, kind) == [403, 403]
    allowed = client_with("operations.view", "operations.manage", "databases.manage")
    assert try_both(allowed, workspace, kind) == [200, 200]


@pytest.mark.parametrize("status", ["suspended", "closing", "closed"])
def test_nothing_is_begun_again_in_a_workspace_that_can_only_be_read(api: Any, workspace: Any, status: str) -> None:
    failed = an_operation(workspace, "databases.prove", "failed")
    purge_after = None if status == "suspended" else timezone.now() + timedelta(days=30)
    Workspace.objects.filter(pk=workspace.pk).update(status=status, purge_after=purge_after)
    answer = api.post(f"/api/v1/operations/{failed.pk}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "workspace_not_active")
    assert api.get(f"/api/v1/operations/{failed.pk}").json()["status"] == "failed"


def test_the_console_offers_and_does_what_the_member_may_ask_for(workspace: Any, make_user: Any) -> None:
    browser = browser_of(member_of(workspace, "operator", make_user))
    here = f"/admin/w/{workspace.slug}/operations/operation"
    failed = an_operation(workspace, "databases.restore", "failed")
    assert f"{failed.pk}/act/retry/" not in browser.get(f"{here}/{failed.pk}/change/").content.decode()
    browser.post(f"{here}/{failed.pk}/act/retry/")
    browser.post(f"{here}/", {"action": "retry", "_selected_action": [str(failed.pk)]})
    failed.refresh_from_db()
    assert failed.status == "failed"

    own = an_operation(workspace, "databases.prove", "failed")
    assert f"{own.pk}/act/retry/" in browser.get(f"{here}/{own.pk}/change/").content.decode()
    browser.post(f"{here}/{own.pk}/act/retry/")
    own.refresh_from_db()
    assert own.status == "queued"
