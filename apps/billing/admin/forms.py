"""What acts on limits ask for."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from apps.billing.selectors.previews import overridden_dimensions
from apps.billing.selectors.usage import corrected_of
from apps.common.admin import ActForm
from apps.common.amounts import parse_amount, write_amount
from apps.common.ids import new_id
from apps.common.tenancy import enter
from apps.plans.selectors.dimensions import KnownDimension, find_dimension, forget_dimensions, known_dimensions
from apps.plans.selectors.limits import Limits, limits_of_plan, plan_names

_LONGEST = 40


class LimitsForm(ActForm):
    """Limits as people write them: with a unit or without one; empty for none. What it gives is ``limits``."""

    soft_limit = forms.CharField(
        max_length=_LONGEST, required=False, label="Soft limit", help_text="From here on there is a warning."
    )
    hard_limit = forms.CharField(
        max_length=_LONGEST,
        required=False,
        label="Hard limit",
        help_text="Above it nothing more is given. Empty: unlimited.",
    )
    overage = forms.BooleanField(required=False, label="Let use go on above the hard limit, counted as overage")

    @classmethod
    def values_of(cls, row: Any) -> dict[str, Any]:
        unit = row.dimension.unit
        return {
            "soft_limit": _write(row.soft_limit, unit),
            "hard_limit": _write(row.hard_limit, unit),
            "overage": row.overage,
        }

    def fit(self, row: Any) -> None:
        self.unit = row.dimension.unit

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        unit = self.chosen_unit(cleaned)
        for name in ("soft_limit", "hard_limit"):
            text = cleaned.get(name, "").strip()
            if unit is None or not text:
                cleaned[name] = None
                continue
            try:
                cleaned[name] = parse_amount(text, unit)
            except ValueError as error:
                self.add_error(name, str(error))
        soft, hard = cleaned.pop("soft_limit", None), cleaned.pop("hard_limit", None)
        cleaned["limits"] = Limits(soft, hard, cleaned.pop("overage"))
        return cleaned

    def chosen_unit(self, cleaned: dict[str, Any]) -> str | None:
        """The unit that the limits are written in; None while it isn't known."""
        unit: str = self.unit
        return unit


class OverrideForm(LimitsForm):
    """Limits of a workspace's own: of what, how much, why, and until when."""

    dimension = forms.ChoiceField(widget=forms.Select)
    reason = forms.CharField(
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The workspace's members can read it.",
    )
    ends_at = forms.DateField(
        label="Last day",
        widget=forms.TextInput,
        help_text="It holds until this day is over where the workspace is.",
    )
    field_order = ("dimension", "soft_limit", "hard_limit", "overage", "reason", "ends_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["ends_at"].widget.input_type = "date"

    @classmethod
    def values_of(cls, row: Any) -> dict[str, Any]:  # noqa: ARG003 - which dimension isn't known yet
        return {}

    def fit(self, row: Any) -> None:
        self.zone = ZoneInfo(row.time_zone)
        self.fields["dimension"].choices = [(one.code, _label(one)) for one in _by_name()]  # type: ignore[attr-defined]

    def chosen_unit(self, cleaned: dict[str, Any]) -> str | None:
        known = find_dimension(cleaned.get("dimension", ""))
        return known.unit if known else None

    def clean_ends_at(self) -> datetime:
        """The midnight after the day."""
        try:
            return datetime.combine(self.cleaned_data["ends_at"] + timedelta(days=1), time.min, tzinfo=self.zone)
        except OverflowError:
            raise forms.ValidationError("This day lies outside of the calendar.") from None


class AddLimitForm(LimitsForm):
    """A limit in a plan: of what it doesn't limit yet, and how much."""

    dimension = forms.ChoiceField(widget=forms.Select)
    field_order = ("dimension", "soft_limit", "hard_limit", "overage")

    @classmethod
    def values_of(cls, row: Any) -> dict[str, Any]:  # noqa: ARG003 - there is no limit yet
        return {}

    def fit(self, row: Any) -> None:
        # One that another process added a moment ago is what people come to limit next.
        forget_dimensions()
        limited = limits_of_plan(row.pk)
        choices = [(one.code, _label(one)) for one in _by_name() if one.code not in limited]
        self.fields["dimension"].choices = choices  # type: ignore[attr-defined]

    def chosen_unit(self, cleaned: dict[str, Any]) -> str | None:
        known = find_dimension(cleaned.get("dimension", ""))
        return known.unit if known else None


class CorrectionForm(ActForm):
    """How much of a use is taken back, and why. Sent twice, it corrects once."""

    amount = forms.CharField(max_length=_LONGEST, help_text="Of this use at most what is left of it.")
    note = forms.CharField(
        max_length=300, widget=forms.Textarea(attrs={"rows": 3}), help_text="It stands in the ledger, for members too."
    )
    key = forms.CharField(max_length=100, widget=forms.HiddenInput)

    @classmethod
    def values_of(cls, row: Any) -> dict[str, Any]:
        left = row.amount - corrected_of(row)
        return {"amount": _write(left, unit_of(row.dimension)), "key": f"console-{new_id()}"}

    def fit(self, row: Any) -> None:
        self.unit = unit_of(row.dimension)

    def clean_amount(self) -> int:
        """In the dimension's unit."""
        try:
            return parse_amount(self.cleaned_data["amount"], self.unit)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None


class EndOverrideForm(ActForm):
    """Which of the workspace's own limits is to go."""

    dimension = forms.ChoiceField(widget=forms.Select)

    def fit(self, row: Any) -> None:
        with enter(row):
            own = set(overridden_dimensions())
        choices = [(one.code, one.name) for one in _by_name() if one.code in own]
        self.fields["dimension"].choices = choices  # type: ignore[attr-defined]


class PlanForm(ActForm):
    """Which plan it is to be."""

    plan = forms.ChoiceField(widget=forms.RadioSelect)

    def fit(self, row: Any) -> None:
        choices = [(code, name) for code, name in plan_names().items() if code != row.plan_code]
        self.fields["plan"].choices = choices  # type: ignore[attr-defined]


def unit_of(code: str) -> str:
    """The unit of the dimension with this code; nothing for one that is gone."""
    known = find_dimension(code)
    return known.unit if known else ""


def _by_name() -> list[KnownDimension]:
    return sorted(known_dimensions().values(), key=lambda one: one.name)


def _label(dimension: KnownDimension) -> str:
    return f"{dimension.name} (in {dimension.unit}s)"


def _write(limit: int | None, unit: str) -> str:
    return "" if limit is None else write_amount(limit, unit)
