"""Acts: what can be done to a row in a console. Each says what it will do, is confirmed by POST, calls a service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from apps.common.actors import Actor
from apps.common.permissions import Grant


class ActForm(forms.Form):
    """The base of what an act asks for; widgets get the console's look."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if type(field.widget) is forms.Textarea:
                field.widget = UnfoldAdminTextareaWidget(attrs=field.widget.attrs)
            elif type(field.widget) is forms.TextInput:
                field.widget = UnfoldAdminTextInputWidget(attrs=field.widget.attrs)
            elif type(field.widget) is forms.NumberInput:
                field.widget = UnfoldAdminIntegerFieldWidget(attrs=field.widget.attrs)
            elif type(field.widget) is forms.PasswordInput:
                field.widget = UnfoldAdminPasswordWidget(attrs=field.widget.attrs)
            elif type(field.widget) is forms.Select:
                field.widget = UnfoldAdminSelectWidget(attrs=field.widget.attrs, choices=field.widget.choices)
            elif type(field.widget) is forms.RadioSelect:
                field.widget = UnfoldAdminRadioSelectWidget(attrs=field.widget.attrs, choices=field.widget.choices)
            elif type(field.widget) is forms.CheckboxInput:
                field.widget = UnfoldBooleanSwitchWidget(attrs=field.widget.attrs)

    @classmethod
    def values_of(cls, row: Any) -> dict[str, Any]:  # noqa: ARG003 - for those that override it
        """What the form shows at first for this row: forms that change something show what it is."""
        return {}

    def fit(self, row: Any) -> None:
        """Narrow what can be chosen to what this row has; called before anything is shown or read."""


class ReasonForm(ActForm):
    """Why; it is kept in the audit trail."""

    reason = forms.CharField(
        max_length=300, widget=forms.Textarea(attrs={"rows": 3}), help_text="Kept in the audit trail."
    )


@dataclass(frozen=True, slots=True)
class ActContext:
    """The row, who acts on it and when, and what they may do there (None in the operators' console)."""

    row: Any
    actor: Actor
    now: datetime
    grant: Grant | None

    @property
    def member_grant(self) -> Grant:
        """The grant in a workspace's console."""
        assert self.grant is not None, "this act belongs to a workspace's console"
        return self.grant


@dataclass(frozen=True, slots=True)
class PreviewTable:
    """A part of a preview: a title, and rows of text below headings; ``rest`` says what isn't shown of it."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What an act would do: the sentence that matters, further ones, and tables. ``warn`` draws the eye."""

    summary: str
    notes: Sequence[str] = ()
    tables: Sequence[PreviewTable] = ()
    warn: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that can be done to a row.

    ``run(context, **cleaned form)`` calls a service and returns the sentence that tells the success; an AppRunError
    that it raises is shown instead. ``preview`` is called like it and changes nothing: what it tells is shown first,
    and the same values are confirmed by a second POST. ``allowed(row)`` says whether the row's state permits it.
    ``code`` is the permission that members need; operators need none. ``bulk`` offers it for several rows at once in
    the list. In the console of a workspace that isn't active there are only those with ``when_not_active``.
    """

    name: str
    label: str
    run: Callable[..., str]
    preview: Callable[..., Preview] | None = None
    explanation: str = ""
    code: str = ""
    form: type[ActForm] = ActForm
    allowed: Callable[[Any], bool] = lambda _row: True
    icon: str = "play_arrow"
    danger: bool = False
    bulk: bool = False
    when_not_active: bool = False


_contributed: dict[tuple[object, str], list[Act]] = {}


def contribute_act(site: object, model: str, act: Act) -> None:
    """Offer ``act`` at a table of an app below, in the console ``site``; ``model`` is its label ("app.Model").

    Called in ``admin.py``. Raises ValueError for a second act of that name.
    """
    acts = _contributed.setdefault((site, model), [])
    if any(known.name == act.name for known in acts):
        raise ValueError(f"The act {act.name} of {model} is contributed twice")
    acts.append(act)


def contributed_acts(site: object, model: str) -> Sequence[Act]:
    """What other apps offer at this table."""
    return _contributed.get((site, model), ())
