"""What every act on an app leaves behind: a line in the audit trail, an event in the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings

from apps.applications.models import App
from apps.audit.services import Target, record_act
from apps.common.actors import Actor
from apps.common.permissions import GrantedWorkspace
from apps.events.services import emit_event


def app_url(workspace: GrantedWorkspace, app: App) -> str:
    """The absolute address at which visitors find the app."""
    return f"{settings.BASE_URL}/runtime/{workspace.slug}/{app.slug}"


def describe_actor(actor: Actor) -> dict[str, Any]:
    """Who did it, as versions and releases keep it: kind, id and name at that time."""
    return {"kind": str(actor.kind), "id": str(actor.id) if actor.id else None, "name": actor.name}


def record(
    *,
    workspace: GrantedWorkspace,
    app: App,
    actor: Actor,
    action: str,
    now: datetime,
    changes: Mapping[str, Any] | None = None,
    event: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Audit the act and, with ``event``, tell the outbox; both in the present transaction."""
    record_act(
        actor=actor,
        action=action,
        target=Target(kind="app", id=str(app.pk), name=app.name),
        now=now,
        changes=changes,
    )
    if event is not None:
        emit_event(
            type=event,
            workspace_id=workspace.id,
            data={"app": {"id": str(app.pk), "slug": app.slug, "name": app.name}, **(data or {})},
            now=now,
        )
