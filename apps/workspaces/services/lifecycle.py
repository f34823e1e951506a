"""Suspending, closing and restoring workspaces."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.dispatch import Signal

from apps.audit.services import Target, record_act
from apps.common.actors import SYSTEM, Actor
from apps.common.errors import IllegalTransition
from apps.common.revisions import Expected, require_revision
from apps.common.tenancy import enter, enter_public
from apps.events.services import emit_event
from apps.workspaces.errors import AlreadyPurging
from apps.workspaces.models import Workspace
from apps.workspaces.services.rules import lock_workspace
from apps.workspaces.signals import (
    workspace_activated,
    workspace_closing,
    workspace_restored,
    workspace_suspended,
)
from apps.workspaces.states import WorkspaceStatus

log = structlog.get_logger(__name__)


def suspend_workspace(*, workspace_id: UUID, reason: str, actor: Actor, now: datetime) -> Workspace:
    """An operator stops a workspace: it can be read, not changed, and shows nothing to visitors.

    Raises IllegalTransition unless it is active.
    """
    with enter_public(), transaction.atomic():
        workspace = lock_workspace(workspace_id)
        workspace.move_to(WorkspaceStatus.SUSPENDED, suspended_reason=reason[:300])
        _announce(
            workspace, "suspended", act="suspend", signal=workspace_suspended, actor=actor, now=now, reason=reason
        )
    return workspace


def activate_workspace(*, workspace_id: UUID, actor: Actor, now: datetime) -> Workspace:
    """An operator lets a suspended workspace go on. Raises IllegalTransition for any other state."""
    with enter_public(), transaction.atomic():
        workspace = lock_workspace(workspace_id)
        _require_status(workspace, WorkspaceStatus.SUSPENDED, target=WorkspaceStatus.ACTIVE)
        workspace.move_to(WorkspaceStatus.ACTIVE, suspended_reason="")
        _announce(workspace, "activated", act="activate", signal=workspace_activated, actor=actor, now=now)
    return workspace


def close_workspace(*, workspace_id: UUID, actor: Actor, now: datetime, expected: Expected = None) -> Workspace:
    """Close a workspace. Everything is kept for the grace period (30 days), in which it can be restored.

    Raises StaleRevision, IllegalTransition unless it is active or suspended.
    """
    with enter_public(), transaction.atomic():
        workspace = lock_workspace(workspace_id)
        require_revision(workspace, expected)
        purge_after = now + settings.WORKSPACE_CLOSING_GRACE
        workspace.move_to(WorkspaceStatus.CLOSING, status_before_closing=workspace.status, purge_after=purge_after)
        _announce(
            workspace,
            "closing",
            act="close",
            signal=workspace_closing,
            actor=actor,
            now=now,
            purge_after=purge_after.isoformat(),
        )
    return workspace


def restore_workspace(*, workspace_id: UUID, actor: Actor, now: datetime) -> Workspace:
    """Undo the closing: the workspace is again what it was.

    Raises AlreadyPurging when its data have begun to go, IllegalTransition when it isn't closed.
    """
    with enter_public(), transaction.atomic():
        workspace = lock_workspace(workspace_id)
        if workspace.purge_started_at is not None:
            raise AlreadyPurging
        _require_status(workspace, WorkspaceStatus.CLOSING, WorkspaceStatus.CLOSED, target="restored")
        workspace.move_to(workspace.status_before_closing, status_before_closing="", purge_after=None)
        _announce(workspace, "restored", act="restore", signal=workspace_restored, actor=actor, now=now)
    return workspace


def settle_closing_workspaces(*, now: datetime) -> int:
    """Let workspaces that were closed come to rest; returns how many."""
    settled = 0
    for workspace_id in Workspace.objects.closing().values_list("pk", flat=True):
        with transaction.atomic():
            closing = Workspace.objects.closing().filter(pk=workspace_id)
            workspace = closing.select_for_update(skip_locked=True, no_key=True).first()
            if workspace is not None:
                workspace.move_to(WorkspaceStatus.CLOSED)
                _announce(workspace, "closed", act=None, signal=None, actor=SYSTEM, now=now)
                settled += 1
    return settled


def _require_status(workspace: Workspace, *statuses: str, target: str) -> None:
    """The table knows arrows, not who may draw which: a restored workspace is not an activated one."""
    if workspace.status not in statuses:
        raise IllegalTransition(f"This workspace is {workspace.status}; it can't be {target} from there.")


def _announce(
    workspace: Workspace,
    event: str,
    *,
    act: str | None,
    signal: Signal | None,
    actor: Actor,
    now: datetime,
    **data: Any,
) -> None:
    """Tell those above, inside the schema, and the outbox; write it into the platform's trail."""
    if signal is not None:
        with enter(workspace):
            signal.send(sender=Workspace, workspace=workspace, actor=actor, now=now)
    emit_event(type=f"workspace.{event}", workspace_id=workspace.pk, data={"slug": workspace.slug, **data}, now=now)
    if act is not None:
        record_life(workspace, act, actor=actor, now=now, changes={name: [None, value] for name, value in data.items()})


def record_life(
    workspace: Workspace, act: str, *, actor: Actor, now: datetime, changes: Mapping[str, Any] | None = None
) -> None:
    """Write an act on the workspace itself into the platform's trail."""
    with enter_public():
        record_act(
            actor=actor,
            action=f"workspace.{act}",
            target=Target(kind="workspace", id=str(workspace.pk), name=workspace.name),
            now=now,
            changes=changes,
        )
