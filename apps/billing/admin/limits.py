"""A plan's limits changed, added and removed in the operators' console, with whom it would concern told first."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from apps.billing.admin.forms import AddLimitForm, LimitsForm
from apps.billing.selectors.previews import PlanReach, reach_of_limit
from apps.common.admin import Act, ActContext, Preview, PreviewTable, contribute_act, platform_site
from apps.common.amounts import describe_amount
from apps.plans.selectors.dimensions import find_dimension
from apps.plans.selectors.limits import Limits
from apps.plans.services.limits import add_limit, change_limit, check_added, check_limits, remove_limit


def _preview(context: ActContext, *, limits: Limits) -> Preview:
    row = context.row
    return _preview_change(row.plan, row.dimension, before=_limits_of(row), after=limits)


def _preview_added(context: ActContext, *, dimension: str, limits: Limits) -> Preview:
    known = find_dimension(dimension)
    assert known is not None, "the form offers those that there are"
    check_added(limits)
    return _preview_change(context.row, known, before=Limits(), after=limits)


def _preview_removed(context: ActContext) -> Preview:
    row = context.row
    return _preview_change(row.plan, row.dimension, before=_limits_of(row), after=Limits())


def _preview_change(plan: Any, dimension: Any, *, before: Limits, after: Limits) -> Preview:
    """Whom other limits of a dimension would concern among those on the plan."""
    check_limits(after)
    reach = reach_of_limit(plan_code=plan.pk, dimension=dimension.code, hard_limit=after.hard)
    unit, overage = dimension.unit, after.overage
    change = f"{dimension.name}, plan {plan.name}: {tell_limits(before, unit)} → {tell_limits(after, unit)}."
    if reach.above is None:
        return Preview(change, [f"{_workspaces(reach.workspaces)} on the plan would have no hard limit."])
    above = reach.above
    notes = [
        f"{_workspaces(reach.workspaces)} on the plan: {_over(above.planned, overage=overage)}.",
        *([_grace(before, after)] if above.planned and not overage else []),
    ]
    if above.overridden:
        notes.append(
            f"{_workspaces(above.overridden)} more would be above it, but an override gives other limits until it ends."
        )
    if above.known < reach.workspaces:
        notes.append(f"Of {_workspaces(reach.workspaces - above.known)} the use isn't known yet.")
    warn = above.planned > 0 and not overage
    return Preview(change, notes, [_table(reach, unit)] if above.first else (), warn=warn)


def _change(context: ActContext, *, limits: Limits) -> str:
    change_limit(
        plan_limit_id=context.row.pk,
        limits=limits,
        actor=context.actor,
        now=context.now,
    )
    return f"The limit is changed; {_FOLLOW}"


def _add(context: ActContext, *, dimension: str, limits: Limits) -> str:
    add_limit(
        plan_code=context.row.pk,
        dimension=dimension,
        limits=limits,
        actor=context.actor,
        now=context.now,
    )
    return f"The plan has the limit; {_FOLLOW}"


def _remove(context: ActContext) -> str:
    remove_limit(plan_limit_id=context.row.pk, actor=context.actor, now=context.now)
    return f"The limit is removed; {_FOLLOW}"


def _limits_of(row: Any) -> Limits:
    return Limits(row.soft_limit, row.hard_limit, row.overage)


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

_FOLLOW = "the workspaces on the plan follow now, one after the other (see the operations)."

for _table_name, _act in (
    (
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
    ),
    (
        "plans.PlanLimit",
        Act(
            name="remove",
            label="Remove the limit…",
            icon="delete",
            explanation="It is unlimited then for every workspace on the plan that has no override.",
            preview=_preview_removed,
            run=_remove,
            danger=True,
        ),
    ),
    (
        "plans.Plan",
        Act(
            name="add-limit",
            label="Limit a dimension…",
            icon="tune",
            explanation="One that the plan doesn't limit yet. First you see whom it would concern.",
            form=AddLimitForm,
            preview=_preview_added,
            run=_add,
        ),
    ),
):
    contribute_act(platform_site, _table_name, _act)
