"""What is counted, in the operators' console: counters are added, dimensions are called something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin

from apps.common.admin import Act, ActContext, ActForm, PlatformAdmin, platform_site
from apps.plans.models import Dimension
from apps.plans.services.dimensions import add_dimension, change_dimension


class ChangeForm(ActForm):
    """What a dimension is called, and what happens while nobody can count."""

    name = forms.CharField(max_length=100)
    unit = forms.CharField(
        max_length=30, help_text="One word in the singular, in lower case: message. Amounts stay the numbers they are."
    )
    on_failure = forms.ChoiceField(
        choices=Dimension.OnFailure.choices,
        initial=Dimension.OnFailure.CLOSED,
        widget=forms.RadioSelect,
        label="While the database is away",
    )

    @classmethod
    def values_of(cls, row: Dimension) -> dict[str, Any]:
        return {"name": row.name, "unit": row.unit, "on_failure": row.on_failure}


class AddForm(ChangeForm):
    """A new counter."""

    code = forms.CharField(
        max_length=60, help_text="What programs call it, such as sms.messages. It can't be changed later."
    )
    reset = forms.ChoiceField(
        choices=Dimension.Reset.choices, initial=Dimension.Reset.MONTHLY, widget=forms.RadioSelect, label="Starts anew"
    )
    field_order = ("code", "name", "unit", "reset", "on_failure")


def _add(context: ActContext, **values: str) -> str:
    dimension = add_dimension(**values, actor=context.actor, now=context.now)
    return f"{dimension} is counted from now on, without a limit in any plan."


def _change(context: ActContext, **values: str) -> str:
    dimension = change_dimension(code=context.row.pk, **values, actor=context.actor, now=context.now)
    return f"{dimension} is changed."


@admin.register(Dimension, site=platform_site)
class DimensionAdmin(PlatformAdmin):
    """What is counted."""

    list_display = ("code", "name", "unit", "kind", "reset", "on_failure")
    list_filter = ("kind", "reset")
    search_fields = ("code", "name")
    acts: ClassVar[Sequence[Act]] = (
        Act(
            name="change",
            label="Change…",
            icon="edit",
            explanation="Programs that name the unit when they report use must name the new one.",
            form=ChangeForm,
            run=_change,
        ),
    )
    table_acts: ClassVar[Sequence[Act]] = (
        Act(
            name="add",
            label="Add a counter…",
            icon="add",
            explanation="Something that programs report over the API. It can't be removed: ledgers will name it.",
            form=AddForm,
            run=_add,
        ),
    )
