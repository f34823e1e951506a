"""Changing a plan's limit in the operators' console, with whom it would concern told first."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from apps.billing.admin.forms import LimitsForm
from apps.billing.selectors.previews import PlanReach, reach_of_limit
from apps.common.admin import Act, ActContext, Preview, PreviewTable, contribute_act, platform_site
from apps.common.amounts import describe_amount
from apps.plans.selectors.limits import Limits
from apps.plans.services.limits import change_limit, check_limits


def _preview(context: ActContext, *, soft_limit: int | None, hard_limit: int | None, overage: bool) -> Preview:
    row, limits = context.row, Limits(soft_limit, hard_limit, overage)
    check_limits(limits)
    reach = reach_of_limit(plan_code=row.plan_id, dimension=row.dimension_id, hard_limit=hard_limit)
    before = Limits(row.soft_limit, row.hard_limit, row.overage)
    unit = row.dimension.unit
    change = f"{row.dimension.name}, plan {row.plan.name}: {tell_limits(before, unit)} → {tell_limits(limits, unit)}."
    if reach.above is None:
        return Preview(change, [f"{_workspaces(reach.workspaces)} on the plan would have no hard limit."])
    above = reach.above
    notes = [
        f"{_workspaces(reach.workspaces)} on the plan: {_over(above.planned, overage=overage)}.",
        *([_grace(before, limits)] if above.planned and not overage else []),
    ]
    if above.overridden:
        notes.append(
            f"{_workspaces(above.overridden)} more would be above it, but an override gives other limits until it ends."
        )
    if above.known < reach.workspaces:
        notes.append(f"Of {_workspaces(reach.workspaces - above.known)} the use isn't known yet.")
    warn = above.planned > 0 and not overage
    return Preview(change, notes, [_table(reach, unit)] if above.first else (), warn=warn)


def _change(context: ActContext, *, soft_limit: int | None, hard_limit: int | None, overage: bool) -> str:
    change_limit(
        plan_limit_id=context.row.pk,
        limits=Limits(soft_limit, hard_limit, overage),
        actor=context.actor,
        now=context.now,
    )
    return "The limit is changed; the workspaces on the plan get it now, one after the other (see the operations)."


def tell_limits(limits: Limits, unit: str) -> str:
    """Limits in a few words: ``200 MiB, soft 160 MiB``, ``unlimited``."""
    hard = "unlimited" if limits.hard is None else describe_amount(limits.hard, unit)
    soft = f", soft {describe_amount(limits.soft, unit)}" if limits.soft is not None else ""
    return f"{hard}{soft}{', then overage' if limits.overage and limits.hard is not None else ''}"


def tell_grace() -> str:
    """How long a former limit holds."""
    return f"{settings.QUOTA_GRACE.days} days"


def _grace(before: Limits, after: Limits) -> str:
    if before.hard is not None and not before.overage and after.hard is not None and before.hard <= after.hard:
        return "They are above the present limit, too."
    return f"Who is, keeps the former limit for {tell_grace()}; after that nothing more is given until use is below it."


def _over(count: int, *, overage: bool) -> str:
    if not count:
        return "none would be over the new limit"
    would = "would use overage" if overage else "would be over the new limit"
    return f"{count:,} {would}"


def _workspaces(count: int) -> str:
    return f"{count:,} workspace{'' if count == 1 else 's'}"


def _table(reach: PlanReach, unit: str) -> PreviewTable:
    above = reach.above
    assert above is not None, "there is a limit to be above"
    rows = [
        (
            reach.slugs.get(row.workspace_id, str(row.workspace_id)),
            describe_amount(row.used, unit),
            describe_amount(row.reserved, unit),
            "unlimited" if row.hard_limit is None else describe_amount(row.hard_limit, unit),
            _SOURCES.get(row.limit_source, row.limit_source),
        )
        for row in above.first
    ]
    hidden = above.planned + above.overridden - len(rows)
    return PreviewTable(
        title="Above the new limit",
        headings=("Workspace", "Used", "Reserved", "Limit now", "Limit from"),
        rows=rows,
        rest=f"And {hidden:,} more." if hidden else "",
    )


_SOURCES: dict[str, Any] = {"plan": "Plan", "override": "Override", "grace": "Grace"}

contribute_act(
    platform_site,
    "plans.PlanLimit",
    Act(
        name="change",
        label="Change the limit…",
        icon="tune",
        explanation="For every workspace on the plan that has no override. First you see whom it would concern.",
        form=LimitsForm,
        preview=_preview,
        run=_change,
    ),
)
