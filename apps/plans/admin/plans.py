"""Plans in the operators' console."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.decorators import display

from apps.common.admin import Act, ActContext, ActForm, PlatformAdmin, platform_site
from apps.common.amounts import describe_amount
from apps.plans.models import Plan, PlanLimit
from apps.plans.services.catalogue import PLANS
from apps.plans.services.plans import PlanTerms, add_plan, edit_plan, remove_plan


class _Limits:
    """Limits in the unit of their dimension."""

    @display(description="soft limit", ordering="soft_limit")
    def soft(self, row: PlanLimit) -> str:
        return _describe_limit(row.soft_limit, row.dimension.unit, "none")

    @display(description="hard limit", ordering="hard_limit")
    def hard(self, row: PlanLimit) -> str:
        return _describe_limit(row.hard_limit, row.dimension.unit, "unlimited")


class PlanLimitInline(_Limits, TabularInline):
    """A plan's limits, on its page."""

    model = PlanLimit
    fields = ("limit", "soft", "hard", "overage", "label")
    readonly_fields = fields
    can_delete = False
    hide_title = True
    extra = 0
    max_num = 0

    @display(description="dimension")
    def limit(self, row: PlanLimit) -> str:
        address = reverse("admin:plans_planlimit_change", args=[row.pk])
        return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', address, row.dimension)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanLimit]:
        rows: QuerySet[PlanLimit] = super().get_queryset(request).select_related("plan", "dimension")
        return rows

    def has_view_permission(self, request: object, obj: object = None) -> bool:
        return True


class PlanForm(ActForm):
    """What a plan is called, its place among the others, and what it lets run."""

    name = forms.CharField(max_length=100)
    description = forms.CharField(max_length=300, required=False)
    position = forms.IntegerField(initial=0, help_text="Its place in lists of plans; the smallest plan first.")
    running_operations = forms.IntegerField(
        required=False, help_text="How many operations of a workspace run at once. Empty: the platform's number."
    )

    @classmethod
    def values_of(cls, row: Plan) -> dict[str, Any]:
        return {name: getattr(row, name) for name in ("name", "description", "position", "running_operations")}


class AddPlanForm(PlanForm):
    """A new plan."""

    code = forms.CharField(max_length=40, help_text="What programs call it, such as gold. It can't be changed later.")
    field_order = ("code", "name", "description", "position", "running_operations")


def _add(context: ActContext, *, code: str, **terms: Any) -> str:
    plan = add_plan(code=code, terms=PlanTerms(**terms), actor=context.actor, now=context.now)
    return f"There is a plan {plan} now. Everything in it is unlimited until you limit it."


def _edit(context: ActContext, **terms: Any) -> str:
    plan = edit_plan(code=context.row.pk, terms=PlanTerms(**terms), actor=context.actor, now=context.now)
    return f"The plan {plan} is changed."


def _remove(context: ActContext) -> str:
    remove_plan(code=context.row.pk, actor=context.actor, now=context.now)
    return f"The plan {context.row} is removed."


@admin.register(Plan, site=platform_site)
class PlanAdmin(PlatformAdmin):
    """What workspaces may use."""

    list_display = ("code", "name", "description", "running_operations", "position")
    search_fields = ("code", "name")
    inlines = (PlanLimitInline,)
    acts: ClassVar[Sequence[Act]] = (
        Act(
            name="change",
            label="Change…",
            icon="edit",
            explanation="What it is called, and how many operations run at once. Limits have pages of their own.",
            form=PlanForm,
            run=_edit,
        ),
        Act(
            name="remove",
            label="Remove",
            icon="delete",
            explanation="The plan goes with its limits. While a workspace is on it, a closed one too, it stays.",
            run=_remove,
            allowed=lambda row: row.pk not in PLANS,
            danger=True,
        ),
    )
    table_acts: ClassVar[Sequence[Act]] = (
        Act(
            name="add",
            label="Add a plan…",
            icon="add",
            explanation="It limits nothing at first, and nobody is on it.",
            form=AddPlanForm,
            run=_add,
        ),
    )


@admin.register(PlanLimit, site=platform_site)
class PlanLimitAdmin(_Limits, PlatformAdmin):
    """All limits, to compare plans."""

    list_display = ("__str__", "plan", "dimension", "soft", "hard", "overage")
    fields = ("plan", "dimension", "soft", "hard", "overage", "label")
    readonly_fields = ("soft", "hard")
    list_filter = ("plan", "dimension")
    list_select_related = ("plan", "dimension")
    search_fields = ("plan__name", "dimension__code")


def _describe_limit(limit: int | None, unit: str, none: str) -> str:
    return none if limit is None else describe_amount(limit, unit)
