"""What billing does when something happens below it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.dispatch import receiver

from apps.billing.services.levels import measure_levels
from apps.billing.services.plan_changes import follow_plan, request_apply_plan
from apps.billing.services.quotas import open_quotas
from apps.common.actors import Actor
from apps.plans.selectors.dimensions import known_dimensions
from apps.plans.signals import plan_limit_changed
from apps.workspaces.signals import plan_changed, workspace_created, workspace_imported


@receiver(workspace_created, dispatch_uid="billing.quotas")
def give_quotas(*, workspace: Any, now: datetime, **_: Any) -> None:
    """An active workspace has a quota in every dimension."""
    open_quotas(workspace=workspace, now=now)


@receiver(workspace_imported, dispatch_uid="billing.imported")
def measure_what_came(*, workspace: Any, now: datetime, **_: Any) -> None:
    """An imported workspace has quotas of its own plan; what is above them doesn't come in."""
    open_quotas(workspace=workspace, now=now)
    measure_levels(workspace=workspace, now=now)


@receiver(plan_changed, dispatch_uid="billing.plan")
def take_limits_of_new_plan(*, workspace: Any, now: datetime, **_: Any) -> None:
    """A change of plan applies at once."""
    follow_plan(workspace=workspace, dimensions=list(known_dimensions()), now=now)


@receiver(plan_limit_changed, dispatch_uid="billing.limit")
def apply_changed_limit(*, plan_code: str, dimension: str, actor: Actor, now: datetime, **_: Any) -> None:
    """Who is on the plan gets its new limit."""
    request_apply_plan(plan_code=plan_code, dimension=dimension, actor=actor, now=now)
