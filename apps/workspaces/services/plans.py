"""Which plan a workspace is on, an operator's decision; and plans that none is on."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor
from apps.common.errors import InvalidInput
from apps.common.tenancy import enter, enter_public
from apps.events.services import emit_event
from apps.plans.selectors.limits import plan_names
from apps.plans.services.plans import keep_plan
from apps.workspaces.errors import PlanInUse
from apps.workspaces.models import Workspace
from apps.workspaces.services.rules import lock_workspace
from apps.workspaces.signals import plan_changed
from apps.workspaces.states import WorkspaceStatus


def change_plan(*, workspace_id: UUID, plan_code: str, actor: Actor, now: datetime) -> Workspace:
    """Put a workspace on another plan. It applies at once; where the new plan allows less than is used, the former
    limit holds for a grace. Raises InvalidInput for a plan that there isn't.
    """
    with enter_public(), transaction.atomic():
        if not keep_plan(plan_code):
            plans = ", ".join(plan_names())
            raise InvalidInput.at("/plan", "unknown_plan", f"There is no such plan. There are: {plans}.")
        workspace = lock_workspace(workspace_id)
        before = workspace.plan_code
        if before == plan_code:
            return workspace
        workspace.plan_code = plan_code
        workspace.save(update_fields=["plan_code", "updated_at"])
        if workspace.fingerprint:
            with enter(workspace):
                plan_changed.send(sender=Workspace, workspace=workspace, before=before, now=now)
        record_act_in(
            workspace,
            actor=actor,
            action="workspace.change_plan",
            target=Target(kind="workspace", id=str(workspace.pk), name=workspace.name),
            now=now,
            changes={"plan": [before, plan_code]},
        )
        emit_event(
            type="workspace.plan_changed",
            workspace_id=workspace.pk,
            data={"before": before, "plan": plan_code},
            now=now,
        )
    return workspace


def require_unused(plan_code: str) -> None:
    """Raise PlanInUse while a workspace is on the plan, closed ones included: they may be restored."""
    count = Workspace.objects.filter(plan_code=plan_code).exclude(status=WorkspaceStatus.PURGED).count()
    if count:
        raise PlanInUse(count)
