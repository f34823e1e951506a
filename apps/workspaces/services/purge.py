"""Deleting what a closed workspace has left behind, when its grace is over: the operation `workspaces.purge`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.common.actors import SYSTEM
from apps.common.errors import Unavailable
from apps.common.schema_ddl import drop_schema
from apps.events.services import emit_event, forget_events_of
from apps.operations.errors import StepFailed
from apps.operations.services.kinds import Step, StepContext
from apps.operations.services.requests import find_or_request_operation
from apps.operations.services.workspaces import forget_operations, stop_operations
from apps.workspaces.models import DueWork, Invitation, Membership, Role, Workspace
from apps.workspaces.services.lifecycle import record_life
from apps.workspaces.services.rules import lock_workspace
from apps.workspaces.services.slugs import hold_slug
from apps.workspaces.states import WorkspaceStatus


@dataclass(frozen=True, slots=True)
class PurgedWorkspace:
    """What a purge step needs to know. The schema is still there; the step enters it if it must."""

    id: UUID
    slug: str
    schema_name: str


_steps: dict[str, tuple[str, Callable[[PurgedWorkspace], object]]] = {}


def register_purge_step(name: str, message: str, run: Callable[[PurgedWorkspace], object]) -> None:
    """Have ``run`` delete what an app keeps of a workspace outside its schema: a database, objects, routes.

    It must be safe to repeat. Registered when the apps are ready; raises ValueError for a second one of that name.
    """
    if name in _steps:
        raise ValueError(f"The purge step {name} is registered twice")
    _steps[name] = (message, run)


def purge_due_workspaces(*, now: datetime) -> int:
    """Ask for the purge of every workspace whose grace is over; returns how many."""
    due = list(Workspace.objects.to_purge(now).values_list("pk", flat=True))
    for workspace_id in due:
        find_or_request_operation(
            kind="workspaces.purge", target_id=workspace_id, workspace_id=workspace_id, actor=SYSTEM, now=now
        )
    return len(due)


def purge_steps() -> list[Step]:
    """The steps of a purge: what other apps registered, between the point of no return and the schema's end."""
    return [
        Step("begin", _begin, "Making sure that the grace period is over.", cancelable=False),
        Step("stop_work", _stop_work, "Waiting for running work to end.", cancelable=False),
        *(
            Step(f"purge_{name}", _registered(run), message, cancelable=False)
            for name, (message, run) in _steps.items()
        ),
        Step("drop_schema", _drop_schema, "Deleting the workspace's tables.", cancelable=False),
        Step("forget", _forget, "Deleting members and settings.", cancelable=False),
    ]


def _begin(context: StepContext) -> dict[str, Any]:
    with transaction.atomic():
        workspace = lock_workspace(context.target)
        now = context.clock()
        due = workspace.status == WorkspaceStatus.CLOSED and workspace.purge_after and workspace.purge_after <= now
        if not due:
            raise StepFailed("This workspace is not closed any more, or its grace is not over.", code="not_due")
        if workspace.purge_started_at is None:
            workspace.purge_started_at = now
            workspace.save(update_fields=["purge_started_at", "updated_at"])
    return {}


def _stop_work(context: StepContext) -> dict[str, Any]:
    """No work is left that could bring back what is deleted. Each registered step makes sure of that anew: until the
    database is gone, its schedules go on asking."""
    running = stop_operations(
        workspace_id=context.target, but=context.operation_id, actor=context.actor, now=context.clock()
    )
    if running:
        raise Unavailable(f"{running} operations are still running in this workspace.", retry_after=15)
    return {}


def _registered(run: Callable[[PurgedWorkspace], object]) -> Callable[[StepContext], dict[str, Any]]:
    def step(context: StepContext) -> dict[str, Any]:
        _stop_work(context)
        workspace = Workspace.objects.get(pk=context.target)
        run(PurgedWorkspace(id=workspace.pk, slug=workspace.slug, schema_name=workspace.schema_name))
        return {}

    return step


def _drop_schema(context: StepContext) -> dict[str, Any]:
    drop_schema(Workspace.objects.get(pk=context.target).schema_name)
    return {}


def _forget(context: StepContext) -> dict[str, Any]:
    """The row stays, emptied, so that what the platform's trail says of it has a target."""
    now = context.clock()
    forget_operations(workspace_id=context.target, but=context.operation_id)
    forget_events_of(context.target)
    with transaction.atomic():
        workspace = lock_workspace(context.target)
        if workspace.status == WorkspaceStatus.PURGED:
            return {}
        hold_slug(workspace.slug, owner_id=workspace.owner_id, now=now)
        DueWork.objects.filter(workspace=workspace).delete()
        Invitation.objects.filter(workspace=workspace).delete()
        Membership.objects.filter(workspace=workspace).delete()
        Role.objects.filter(workspace=workspace).delete()
        emit_event(type="workspace.purged", workspace_id=workspace.pk, data={"slug": workspace.slug}, now=now)
        record_life(workspace, "purge", actor=context.actor, now=now, changes={"slug": [workspace.slug, None]})
        workspace.move_to(
            WorkspaceStatus.PURGED,
            slug=f"purged-{workspace.pk.hex}",
            display_name="",
            migration_error="",
            suspended_reason="",
            fingerprint="",
            config={},
            default_app_id=None,
            purge_after=None,
        )
    return {}
