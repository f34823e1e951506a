"""An operator's visit to a workspace: with a reason, for a while, and on both trails."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from apps.audit.services import Target, record_act
from apps.common.actors import Actor
from apps.common.errors import InvalidInput
from apps.common.permissions import VISIT, Grant, registry
from apps.common.tenancy import enter, enter_public
from apps.workspaces.selectors import find_workspace

_SESSION_KEY = "console_visits"


def open_visit(*, session: Any, workspace: Any, reason: str, actor: Actor, now: datetime) -> None:
    """Let this session into the workspace's console for ``CONSOLE_VISIT_LIFETIME``, to look and to help with runs.

    The workspace's members see who came and why in their trail. Raises InvalidInput without a reason.
    """
    reason = reason.strip()
    if len(reason) < 5:
        raise InvalidInput.at(
            "/reason", "reason_required", "Say in a few words why you visit; the members can read it."
        )
    target = Target("workspace", str(workspace.id), workspace.name)
    changes = {"reason": [None, reason]}
    with enter_public():
        record_act(actor=actor, action="workspace.visited", target=target, changes=changes, now=now)
    with enter(workspace):
        record_act(actor=actor, action="workspace.visited", target=target, changes=changes, now=now)
    visits = dict(session.get(_SESSION_KEY, {}))
    visits[workspace.slug] = {"reason": reason, "until": (now + settings.CONSOLE_VISIT_LIFETIME).isoformat()}
    session[_SESSION_KEY] = visits


def visit_grant(*, session: Any, slug: str) -> Grant | None:
    """What an operator with an open visit may do there: what the viewer and operator roles may. None without one."""
    visit = session.get(_SESSION_KEY, {}).get(slug)
    if visit is None or datetime.fromisoformat(visit["until"]) <= timezone.now():
        return None
    workspace = find_workspace(slug)
    if workspace is None:
        return None
    codes = registry.codes_of("viewer") | registry.codes_of("operator")
    return Grant(workspace=workspace, codes=codes, role="visit", membership_id=None, source=VISIT)
