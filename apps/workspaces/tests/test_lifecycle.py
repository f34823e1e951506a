"""A workspace's life after its birth."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.common.actors import SYSTEM
from apps.common.errors import IllegalTransition, InvalidInput, StaleRevision
from apps.common.tenancy import current_schema, enter
from apps.events.models import Event
from apps.operations.models import Operation
from apps.operations.services.engine import run_operation
from apps.workspaces.errors import AlreadyPurging, OwnerNotPresent, SlugTaken
from apps.workspaces.models import DueWork, Membership, SlugHold, Workspace
from apps.workspaces.models.membership import built_in_role_id
from apps.workspaces.services import purge
from apps.workspaces.services.creation import create_workspace
from apps.workspaces.services.lifecycle import (
    activate_workspace,
    close_workspace,
    restore_workspace,
    settle_closing_workspaces,
    suspend_workspace,
)
from apps.workspaces.services.settings import update_workspace
from apps.workspaces.services.transfer import transfer_workspace
from apps.workspaces.signals import workspace_closing
from apps.workspaces.states import SLOT_TRANSITIONS, WORKSPACE_TRANSITIONS, SlotStatus, WorkspaceStatus

NOW = timezone.now()
ACT: dict[str, Any] = {"actor": SYSTEM, "now": NOW}


def join(workspace: Any, user: Any, role: str = "developer", **fields: Any) -> Membership:
    return Membership.objects.create(
        workspace=workspace, user=user, role_id=built_in_role_id(role), joined_at=NOW, **fields
    )


def schemas() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'ws\\_%'")
        return {row[0] for row in cursor.fetchall()}


def close_for_good(workspace: Any) -> Operation:
    """Closed, at rest, and its grace over: the purge as the scheduler asks for it."""
    close_workspace(workspace_id=workspace.pk, **ACT)
    settle_closing_workspaces(now=NOW)
    assert purge.purge_due_workspaces(now=NOW + timedelta(days=31)) == 1
    return Operation.objects.get(kind="workspaces.purge", target_id=str(workspace.pk))


def run(operation: Operation) -> Operation:
    connection.check_constraints()  # as the commit of whatever was done before would have
    run_operation(operation_id=operation.pk, owner="test", clock=lambda: NOW + timedelta(days=31))
    operation.refresh_from_db()
    return operation


def test_suspended_and_activated(workspace: Any) -> None:
    suspend_workspace(workspace_id=workspace.pk, reason="Unpaid", **ACT)
    workspace.refresh_from_db()
    assert (workspace.status, workspace.suspended_reason) == ("suspended", "Unpaid")
    activate_workspace(workspace_id=workspace.pk, **ACT)
    workspace.refresh_from_db()
    assert (workspace.status, workspace.suspended_reason) == ("active", "")
    assert {"workspace.suspend", "workspace.activate"} <= set(AuditEvent.objects.values_list("action", flat=True))


@pytest.mark.parametrize("before", ["active", "suspended"])
def test_closed_and_restored_to_what_it_was(workspace: Any, before: str) -> None:
    if before == "suspended":
        suspend_workspace(workspace_id=workspace.pk, reason="x", **ACT)
    close_workspace(workspace_id=workspace.pk, **ACT)
    workspace.refresh_from_db()
    assert workspace.purge_after == NOW + timedelta(days=30)
    assert settle_closing_workspaces(now=NOW) == 1
    workspace.refresh_from_db()
    assert workspace.status == WorkspaceStatus.CLOSED
    restore_workspace(workspace_id=workspace.pk, **ACT)
    workspace.refresh_from_db()
    assert (workspace.status, workspace.purge_after) == (before, None)


def test_those_who_listen_are_told_inside_the_schema(workspace: Any) -> None:
    seen: list[str] = []

    def listen(**kwargs: Any) -> None:
        seen.append(current_schema())

    workspace_closing.connect(listen)
    try:
        close_workspace(workspace_id=workspace.pk, **ACT)
    finally:
        workspace_closing.disconnect(listen)
    assert seen == [workspace.schema_name]


@pytest.mark.parametrize("act", [activate_workspace, restore_workspace])
def test_arrows_that_are_not_there_are_refused(workspace: Any, act: Any) -> None:
    with pytest.raises(IllegalTransition):
        act(workspace_id=workspace.pk, **ACT)


def test_closed_workspace_is_not_activated_but_restored(workspace: Any) -> None:
    close_workspace(workspace_id=workspace.pk, **ACT)
    with pytest.raises(IllegalTransition):
        activate_workspace(workspace_id=workspace.pk, **ACT)


def test_purged_when_the_grace_is_over(workspace: Any) -> None:
    workspace_slug, schema = workspace.slug, workspace.schema_name
    removed: list[str] = []
    purge.register_purge_step("probe", "Probing.", lambda purged: removed.append(purged.schema_name))
    try:
        operation = run(close_for_good(workspace))
    finally:
        purge._steps.pop("probe")
    assert operation.status == "succeeded", operation.error
    workspace.refresh_from_db()
    assert workspace.status == WorkspaceStatus.PURGED
    assert removed == [schema]
    assert schema not in schemas()
    assert not Membership.objects.filter(workspace=workspace).exists()
    assert not DueWork.objects.filter(workspace=workspace).exists()
    assert SlugHold.objects.filter(slug=workspace_slug, owner=workspace.owner).exists()
    assert Event.objects.filter(type="workspace.purged", workspace_id=workspace.pk).exists()


def test_not_purged_before_the_grace_is_over(workspace: Any) -> None:
    close_workspace(workspace_id=workspace.pk, **ACT)
    settle_closing_workspaces(now=NOW)
    assert purge.purge_due_workspaces(now=NOW + timedelta(days=29)) == 0


def test_restored_before_the_purge_begins_keeps_everything(workspace: Any) -> None:
    operation = close_for_good(workspace)
    restore_workspace(workspace_id=workspace.pk, **ACT)
    assert run(operation).status == "failed"
    assert workspace.schema_name in schemas()


def test_fault_09_purge_waits_for_running_work_and_can_not_be_undone_then(workspace: Any) -> None:
    busy = Operation.objects.create(
        kind="other",
        group="other",
        target_kind="x",
        target_id="x",
        workspace_id=workspace.pk,
        status="running",
        next_attempt_at=NOW,
        lease_until=NOW,
    )
    operation = run(close_for_good(workspace))
    assert operation.status == "queued"
    assert workspace.schema_name in schemas()
    with pytest.raises(AlreadyPurging):
        restore_workspace(workspace_id=workspace.pk, **ACT)
    busy.refresh_from_db()
    assert busy.cancel_requested
    Operation.objects.filter(pk=busy.pk).update(status="canceled")
    Operation.objects.filter(pk=operation.pk).update(next_attempt_at=NOW)
    assert run(operation).status == "succeeded"
    assert workspace.schema_name not in schemas()


def test_settings_change_and_are_audited_in_the_workspace(workspace: Any) -> None:
    update_workspace(workspace_id=workspace.pk, changes={"name": "New", "time_zone": "Europe/Vienna"}, **ACT)
    workspace.refresh_from_db()
    assert (workspace.name, workspace.time_zone) == ("New", "Europe/Vienna")
    with enter(workspace):
        event = AuditEvent.objects.get(action="workspace.update")
    assert event.changes["name"] == ["Test workspace", "New"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"locale": "english"}, "/locale"),
        ({"config": {"unknown": 1}}, "/config/unknown"),
        ({"default_app": "nothing-here"}, "/default_app"),
        ({"slug": "admin"}, "/slug"),
        ({"name": "  "}, "/name"),
    ],
)
def test_settings_that_can_not_be_are_refused(workspace: Any, changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        update_workspace(workspace_id=workspace.pk, changes=changes, **ACT)
    assert caught.value.errors[0].pointer == pointer


def test_stale_revision_is_refused(workspace: Any) -> None:
    with pytest.raises(StaleRevision):
        update_workspace(workspace_id=workspace.pk, changes={"name": "x"}, expected={"0"}, **ACT)


def test_slug_that_is_given_up_is_kept_from_others_for_90_days(workspace: Any, make_user: Any) -> None:
    old = workspace.slug
    update_workspace(workspace_id=workspace.pk, changes={"slug": "renamed"}, **ACT)
    stranger = make_user()
    for days, taken in ((89, True), (91, False)):
        later = NOW + timedelta(days=days)
        if taken:
            with pytest.raises(SlugTaken):
                create_workspace(owner=stranger, name="x", slug=old, actor=SYSTEM, now=later)
        else:
            assert create_workspace(owner=stranger, name="x", slug=old, actor=SYSTEM, now=later).slug == old


def test_owner_takes_an_old_slug_back(workspace: Any) -> None:
    old = workspace.slug
    update_workspace(workspace_id=workspace.pk, changes={"slug": "renamed"}, **ACT)
    update_workspace(workspace_id=workspace.pk, changes={"slug": old}, **ACT)
    assert not SlugHold.objects.filter(slug=old).exists()
    assert SlugHold.objects.filter(slug="renamed").exists()


def test_slug_of_another_workspace_is_refused(workspace: Any, make_workspace: Any, make_user: Any) -> None:
    other = make_workspace(owner=make_user())
    with pytest.raises(SlugTaken):
        update_workspace(workspace_id=workspace.pk, changes={"slug": other.slug}, **ACT)
    workspace.refresh_from_db()
    assert workspace.slug != other.slug


def test_transferred_with_a_confirmation(workspace: Any, make_user: Any) -> None:
    heir = join(workspace, make_user())
    former = Membership.objects.get(workspace=workspace, user=workspace.owner)
    transfer_workspace(workspace_id=workspace.pk, member=str(heir.pk), confirm=workspace.slug, **ACT)
    workspace.refresh_from_db()
    heir.refresh_from_db()
    former.refresh_from_db()
    assert workspace.owner_id == heir.user_id
    assert (heir.role.code, former.role.code) == ("owner", "admin")


def test_transfer_needs_the_slug_typed(workspace: Any, make_user: Any) -> None:
    heir = join(workspace, make_user())
    with pytest.raises(InvalidInput):
        transfer_workspace(workspace_id=workspace.pk, member=str(heir.pk), confirm="other", **ACT)


def test_transfer_goes_to_active_people_of_this_workspace_only(
    workspace: Any, make_user: Any, make_workspace: Any
) -> None:
    suspended = join(workspace, make_user(), status="suspended")
    robot = Membership.objects.create(
        workspace=workspace, service_account_name="bot", role_id=built_in_role_id("admin"), joined_at=NOW
    )
    for member in (suspended, robot):
        with pytest.raises(OwnerNotPresent):
            transfer_workspace(workspace_id=workspace.pk, member=str(member.pk), confirm=workspace.slug, **ACT)
    elsewhere = join(make_workspace(owner=make_user()), make_user())
    for unknown in (str(elsewhere.pk), "nonsense"):
        with pytest.raises(InvalidInput):
            transfer_workspace(workspace_id=workspace.pk, member=unknown, confirm=workspace.slug, **ACT)


def test_transitions_are_total() -> None:
    assert set(WORKSPACE_TRANSITIONS.table) == set(WorkspaceStatus)
    assert set(SLOT_TRANSITIONS.table) == set(SlotStatus)


def test_purged_row_keeps_no_settings(workspace: Any) -> None:
    update_workspace(workspace_id=workspace.pk, changes={"config": {"labels": {"a": "b"}}}, **ACT)
    run(close_for_good(workspace))
    purged = Workspace.objects.get(pk=workspace.pk)
    assert (purged.config, purged.fingerprint, purged.default_app_id) == ({}, "", None)
