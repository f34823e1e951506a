"""A workspace's plan and its overrides in the operators' console."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from apps.billing.admin.forms import EndOverrideForm, OverrideForm, PlanForm
from apps.billing.admin.limits import tell_grace, tell_limits
from apps.billing.models import Quota
from apps.billing.selectors.previews import Change, changes_of_plan, overridden_dimensions
from apps.billing.services.overrides import check_override, end_override, override_limits
from apps.billing.services.quotas import find_quota, refresh_quotas
from apps.common.admin import Act, ActContext, Preview, PreviewTable, contribute_act, platform_site
from apps.common.amounts import describe_amount
from apps.common.tenancy import enter
from apps.plans.selectors.dimensions import KnownDimension, known_dimensions
from apps.plans.selectors.limits import Limits, limits_of_plan, plan_names
from apps.workspaces.services.plans import change_plan
from apps.workspaces.states import WorkspaceStatus


def _preview_plan(context: ActContext, *, plan: str) -> Preview:
    names, limits = plan_names(), limits_of_plan(plan)
    with enter(context.row):
        changes = changes_of_plan(refresh_quotas(workspace=context.row, now=context.now), limits=limits)
    over = [change for change in changes if change.over]
    notes = [_tell_over(over)]
    if kept := [_name(change.quota) for change in changes if change.kept]:
        notes.append(f"Limits of its own stay as they are: {', '.join(kept)}.")
    shown = [change for change in changes if change.differs]
    shown.sort(key=lambda change: (not change.over, _name(change.quota)))
    before = names.get(context.row.plan_code, context.row.plan_code)
    return Preview(f"{before} → {names[plan]}.", notes, [_table(shown)] if shown else (), warn=bool(over))


def _change_plan(context: ActContext, *, plan: str) -> str:
    changed = change_plan(workspace_id=context.row.pk, plan_code=plan, actor=context.actor, now=context.now)
    return f"{changed} is on the plan {plan_names()[plan]} from now on."


def _preview_override(
    context: ActContext,
    *,
    dimension: str,
    limits: Limits,
    reason: str,
    ends_at: datetime,
) -> Preview:
    check_override(dimension=dimension, limits=limits, reason=reason, ends_at=ends_at, now=context.now)
    with enter(context.row):
        quota = find_quota(workspace=context.row, dimension=dimension, now=context.now)
        replaced = dimension in overridden_dimensions()
    change = Change(quota, limits, kept=False)
    until = f"until the end of {_last_day(ends_at)}"
    notes = ["It replaces the override that the workspace has."] if replaced else []
    notes.append(_tell_over([change] if change.over else []))
    return Preview(
        f"{_name(quota)}: {_tell_quota(quota)} → {tell_limits(limits, _unit(quota))}, {until}.",
        notes,
        [_table([change])],
        warn=change.over,
    )


def _override(
    context: ActContext,
    *,
    dimension: str,
    limits: Limits,
    reason: str,
    ends_at: datetime,
) -> str:
    override_limits(
        workspace=context.row,
        dimension=dimension,
        limits=limits,
        reason=reason,
        ends_at=ends_at,
        actor=context.actor,
        now=context.now,
    )
    return f"{context.row} has limits of its own until the end of {_last_day(ends_at)}."


def _preview_end(context: ActContext, *, dimension: str) -> Preview:
    limits = limits_of_plan(context.row.plan_code).get(dimension, Limits())
    with enter(context.row):
        quota = find_quota(workspace=context.row, dimension=dimension, now=context.now)
    change = Change(quota, limits, kept=False)
    summary = f"{_name(quota)}: {_tell_quota(quota)} → {tell_limits(limits, _unit(quota))}, as its plan has it."
    return Preview(summary, [_tell_over([change] if change.over else [])], [_table([change])], warn=change.over)


def _end(context: ActContext, *, dimension: str) -> str:
    end_override(workspace=context.row, dimension=dimension, actor=context.actor, now=context.now)
    return f"The plan's limit holds again for {context.row}."


def _tell_over(over: list[Change]) -> str:
    if not over:
        return "All that it uses fits."
    names = ", ".join(_name(change.quota) for change in over)
    return (
        f"It uses more than it would be allowed of: {names}. Where the former limit is larger, it holds for "
        f"{tell_grace()} more; after that nothing more is given until use is below the new one."
    )


def _table(changes: list[Change]) -> PreviewTable:
    rows = [
        (
            _name(change.quota),
            describe_amount(change.quota.used + change.quota.reserved, _unit(change.quota)),
            _tell_quota(change.quota),
            tell_limits(change.limits, _unit(change.quota)),
            "over" if change.over else "fits",
        )
        for change in changes
    ]
    return PreviewTable("What changes", ("Dimension", "In use", "Limit now", "Limit then", ""), rows)


def _tell_quota(quota: Quota) -> str:
    return tell_limits(Limits(quota.soft_limit, quota.hard_limit, quota.overage_allowed), _unit(quota))


def _last_day(ends_at: datetime) -> str:
    """The day before the midnight at which it ends."""
    day = ends_at - timedelta(days=1)
    return f"{day.day} {day:%B %Y}"


def _known(quota: Quota) -> KnownDimension | None:
    return known_dimensions().get(quota.dimension)


def _name(quota: Quota) -> str:
    known = _known(quota)
    return known.name if known else str(quota.dimension)


def _unit(quota: Quota) -> str:
    known = _known(quota)
    return known.unit if known else ""


def _is_there(row: Any) -> bool:
    return bool(row.fingerprint) and row.status != WorkspaceStatus.PURGED


def _has_override(row: Any) -> bool:
    if not _is_there(row):
        return False
    with enter(row):
        return bool(overridden_dimensions())


for _act in (
    Act(
        name="change-plan",
        label="Change plan…",
        icon="sell",
        explanation="It applies at once. First you see what the workspace would have more of than it may.",
        form=PlanForm,
        preview=_preview_plan,
        run=_change_plan,
        allowed=_is_there,
    ),
    Act(
        name="override-limit",
        label="Override a limit…",
        icon="tune",
        explanation="Limits of this workspace's own in one dimension, instead of its plan's, for a time.",
        form=OverrideForm,
        preview=_preview_override,
        run=_override,
        allowed=_is_there,
    ),
    Act(
        name="end-override",
        label="End an override…",
        icon="undo",
        explanation="The plan's limits hold again.",
        form=EndOverrideForm,
        preview=_preview_end,
        run=_end,
        allowed=_has_override,
    ),
):
    contribute_act(platform_site, "workspaces.Workspace", _act)
