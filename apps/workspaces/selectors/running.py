"""How many operations of a workspace run at once: its plan's answer, at no cost where no plan has one."""

from __future__ import annotations

import time
from uuid import UUID

from django.conf import settings

from apps.common.tenancy import enter_public
from apps.plans.selectors.running import running_limits
from apps.workspaces.models import Workspace

#: How many workspaces a process remembers the plan of; then it begins anew.
_REMEMBERED = 10_000
_plans: dict[UUID, tuple[float, str]] = {}


def running_limit_of(workspace_id: UUID) -> int | None:
    """The limit of the workspace's plan; None where it has none. A change is known within PLANS_KNOWN_FOR."""
    limits = running_limits()
    return limits.get(_plan_of(workspace_id)) if limits else None


def forget_plans() -> None:
    """Ask for every workspace's plan anew."""
    _plans.clear()


def _plan_of(workspace_id: UUID) -> str:
    read_at, plan = _plans.get(workspace_id, (float("-inf"), ""))
    if time.monotonic() - read_at < settings.PLANS_KNOWN_FOR.total_seconds():
        return plan
    if len(_plans) >= _REMEMBERED:
        _plans.clear()
    with enter_public():
        plan = Workspace.objects.filter(pk=workspace_id).values_list("plan_code", flat=True).first() or ""
    _plans[workspace_id] = (time.monotonic(), plan)
    return plan
