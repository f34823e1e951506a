"""The ledger, what is reserved, and the periods that are over, in a workspace's console."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from apps.billing.admin.forms import CorrectionForm, unit_of
from apps.billing.models import ClosedPeriod, Reservation, UsageEvent
from apps.billing.services.corrections import correct_use
from apps.common.actors import ActorKind
from apps.common.admin import Act, ActContext, WorkspaceAdmin, workspace_site
from apps.common.admin.filters import DaysFilter
from apps.common.admin.sites import workspace_grant
from apps.common.amounts import describe_amount
from apps.common.permissions import VISIT
from apps.plans.selectors.dimensions import find_dimension, known_dimensions
from apps.workspaces.services.default_app import name_apps


class DimensionFilter(DropdownFilter):
    """By what is metered; the choices are known, never looked up among all rows."""

    title = "dimension"
    parameter_name = "dimension"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(known.code, known.name) for known in sorted(known_dimensions().values(), key=lambda one: one.name)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(dimension=self.value()) if self.value() else queryset


class EntryFilter(DropdownFilter):
    """By what an entry is: something used, or something taken back."""

    title = "entry"
    parameter_name = "entry"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("use", "Uses"), ("correction", "Corrections"), ("overage", "With overage")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "use":
                return queryset.filter(corrects=None)
            case "correction":
                return queryset.filter(corrects__isnull=False)
            case "overage":
                return queryset.exclude(overage=0)
        return queryset


class _Amounts:
    """Amounts in their dimension's unit, with dimensions and apps by name; apps are read for the whole list at once."""

    view_code: ClassVar[str] = "billing.view"
    list_filter_submit = True
    list_filter_sheet = True

    def get_changelist_instance(self: Any, request: HttpRequest) -> Any:
        """The list, with the names of its apps."""
        changes = super().get_changelist_instance(request)  # type: ignore[misc]
        rows = list(changes.result_list)
        names = name_apps({row.app_id for row in rows if getattr(row, "app_id", None)})
        for row in rows:
            row.app_name = names[row.app_id].name if getattr(row, "app_id", None) in names else ""
        changes.result_list = rows
        return changes

    @display(description="dimension", ordering="dimension")
    def of(self, row: Any) -> str:
        known = find_dimension(row.dimension)
        return known.name if known else row.dimension

    @display(description="app")
    def app(self, row: Any) -> str:
        if row.app_id is None:
            return "–"
        if not hasattr(row, "app_name"):
            known = name_apps([row.app_id])
            return known[row.app_id].name if row.app_id in known else str(row.app_id)
        return row.app_name or str(row.app_id)


def _correct(context: ActContext, *, amount: int, note: str, key: str) -> str:
    grant = context.member_grant
    # Who visits by office corrects as the operator that they are, and the trail says so.
    actor = replace(context.actor, kind=ActorKind.OPERATOR) if grant.source == VISIT else context.actor
    entry = context.row
    correct_use(
        workspace=grant.workspace, event_id=entry.pk, amount=amount, key=key, note=note, actor=actor, now=context.now
    )
    return f"{describe_amount(amount, unit_of(entry.dimension))} are taken back, by an entry of their own."


CORRECT = Act(
    name="correct",
    label="Correct…",
    icon="undo",
    explanation="Takes back use that was counted by mistake, in the present period. This entry stays as it is; "
    "another one, which names it, takes it back. What the platform metered itself only operators correct.",
    code="billing.correct",
    form=CorrectionForm,
    run=_correct,
    allowed=lambda row: row.amount > 0 and _is_counter(row.dimension),
)


@admin.register(UsageEvent, site=workspace_site)
class UsageEventAdmin(_Amounts, WorkspaceAdmin):
    """The ledger: every use, once, and what was taken back."""

    list_display = ("occurred_at", "of", "how_much", "app", "source", "note", "actor")
    list_display_links = ("occurred_at",)
    list_filter = (DimensionFilter, EntryFilter, ("occurred_at", DaysFilter))
    search_fields = ("=id", "=app_id", "=idempotency_key", "=source")
    search_help_text = "The id of an entry or an app, a key, or a source"
    exclude = ("answer", "fingerprint")
    raw_id_fields = ("corrects",)
    ordering = ("-occurred_at", "-id")
    acts: ClassVar[Sequence[Act]] = (CORRECT,)

    def may_act(self, request: HttpRequest, act: Act) -> bool:
        """Members by their permissions; an operator on a visit, which looks only elsewhere, corrects."""
        grant = workspace_grant(request)
        if grant is not None and grant.source == VISIT and grant.workspace.status == "active":
            return True
        return super().may_act(request, act)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("answer")

    @display(description="amount", ordering="amount")
    def how_much(self, row: UsageEvent) -> str:
        shown = describe_amount(row.amount, _unit(row))
        return f"{shown} ({describe_amount(row.overage, _unit(row))} overage)" if row.overage else shown


@admin.register(Reservation, site=workspace_site)
class ReservationAdmin(_Amounts, WorkspaceAdmin):
    """What is set aside before it is used, and what became of it."""

    list_display = ("created_at", "of", "how_much", "state", "app", "source", "expires_at")
    list_display_links = ("created_at",)
    list_filter = (DimensionFilter, "status", ("created_at", DaysFilter))
    search_fields = ("=id", "=app_id", "=idempotency_key")
    search_help_text = "The id of a reservation or an app, or a key"
    exclude = ("answer", "fingerprint")
    ordering = ("-created_at", "-id")

    @display(
        description="status",
        ordering="status",
        label={"held": "info", "committed": "success", "released": "", "expired": "warning"},
    )
    def state(self, row: Reservation) -> tuple[str, str]:
        return row.status, row.get_status_display()

    @display(description="amount", ordering="amount")
    def how_much(self, row: Reservation) -> str:
        unit = _unit(row)
        asked = describe_amount(row.amount, unit)
        if row.committed_amount is None or row.committed_amount == row.amount:
            return asked
        return f"{asked}, used {describe_amount(row.committed_amount, unit)}"


@admin.register(ClosedPeriod, site=workspace_site)
class ClosedPeriodAdmin(_Amounts, WorkspaceAdmin):
    """What was used in periods that are over."""

    list_display = ("started_at", "ended_at", "of", "total", "limit", "above")
    list_display_links = ("started_at",)
    list_filter = (DimensionFilter, ("started_at", DaysFilter))
    ordering = ("-started_at", "dimension")

    @display(description="used", ordering="used")
    def total(self, row: ClosedPeriod) -> str:
        return describe_amount(row.used, _unit(row))

    @display(description="limit", ordering="hard_limit")
    def limit(self, row: ClosedPeriod) -> str:
        return "unlimited" if row.hard_limit is None else describe_amount(row.hard_limit, _unit(row))

    @display(description="overage", ordering="overage")
    def above(self, row: ClosedPeriod) -> str:
        return describe_amount(row.overage, _unit(row)) if row.overage else "–"


def _unit(row: Any) -> str:
    return unit_of(row.dimension)


def _is_counter(code: str) -> bool:
    known = find_dimension(code)
    return known is not None and known.kind == "counter"
