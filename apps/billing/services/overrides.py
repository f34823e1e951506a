"""Limits that an operator gives one workspace instead of its plan's."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from apps.audit.services import Target, record_act_in
from apps.billing.errors import NoOverride
from apps.billing.models import QuotaOverride
from apps.billing.services.quotas import reconsider_limits, require_dimension
from apps.common.actors import Actor
from apps.common.errors import InvalidInput
from apps.common.tenancy import enter
from apps.plans.selectors.limits import Limits
from apps.plans.services.limits import check_limits


def check_override(*, dimension: str, limits: Limits, reason: str, ends_at: datetime, now: datetime) -> None:
    """Raise InvalidInput for what can't be an override: no such dimension, limits that can't be, no reason, an end that
    isn't ahead."""
    require_dimension(dimension)
    check_limits(limits)
    if not reason.strip():
        raise InvalidInput.at("/reason", "blank", "Say why this workspace gets limits of its own.")
    if ends_at <= now:
        raise InvalidInput.at("/ends_at", "not_ahead", "The override must end in the future.")


def override_limits(
    *, workspace: Any, dimension: str, limits: Limits, reason: str, ends_at: datetime, actor: Actor, now: datetime
) -> QuotaOverride:
    """Give the workspace limits of its own in one dimension until ``ends_at``, from now on; an earlier override goes.

    Raises InvalidInput (``check_override``).
    """
    check_override(dimension=dimension, limits=limits, reason=reason, ends_at=ends_at, now=now)
    with enter(workspace), transaction.atomic():
        override, _ = QuotaOverride.objects.update_or_create(
            dimension=dimension,
            defaults={
                "soft_limit": limits.soft,
                "hard_limit": limits.hard,
                "overage_allowed": limits.overage,
                "reason": reason.strip()[:300],
                "ends_at": ends_at,
                "made_by": actor.name[:150],
                "created_at": now,
            },
        )
        reconsider_limits(workspace=workspace, dimensions=[dimension], now=now)
        changes = {"hard_limit": [None, limits.hard], "soft_limit": [None, limits.soft], "reason": [None, reason]}
        _audit("quota.override", workspace, dimension, changes | {"ends_at": [None, ends_at.isoformat()]}, actor, now)
    made: QuotaOverride = override
    return made


def end_override(*, workspace: Any, dimension: str, actor: Actor, now: datetime) -> None:
    """Have the plan's limits hold again. Raises NoOverride."""
    with enter(workspace), transaction.atomic():
        override = QuotaOverride.objects.select_for_update().filter(dimension=dimension).first()
        if override is None:
            raise NoOverride
        override.delete()
        reconsider_limits(workspace=workspace, dimensions=[dimension], now=now)
        _audit("quota.end_override", workspace, dimension, {"hard_limit": [override.hard_limit, None]}, actor, now)


def _audit(action: str, workspace: Any, dimension: str, changes: dict[str, Any], actor: Actor, now: datetime) -> None:
    record_act_in(
        workspace,
        actor=actor,
        action=action,
        target=Target(kind="quota", id=dimension, name=dimension),
        now=now,
        changes=changes,
    )
