"""A form's fields as the platform draws them: label, help, input, and what is wrong beside it."""

from __future__ import annotations

from typing import Any

from django import template
from django.forms import CheckboxInput

register = template.Library()

_CODES = frozenset({"code"})
#: What the validators ask for, in one line; what they find is told in theirs.
_NEW_PASSWORD = "At least 10 characters; nothing common, and nothing like your name or address."  # noqa: S105 - a help


@register.inclusion_tag("account/fields.html")
def account_fields(form: Any) -> dict[str, Any]:
    """All fields of ``form``; the first with an error has focus, else the first empty one."""
    focused = next((field.name for field in form if field.errors), None)
    if focused is None and not form.is_bound:
        focused = next((field.name for field in form.visible_fields() if not field.value()), None)
    return {
        "form": form,
        "fields": [_drawn(field, focus=field.name == focused) for field in form.visible_fields()],
    }


def _drawn(field: Any, *, focus: bool) -> dict[str, Any]:
    attributes = {"placeholder": ""}
    if focus:
        attributes["autofocus"] = ""
    if field.name in _CODES:
        attributes |= {"inputmode": "numeric", "autocapitalize": "off", "spellcheck": "false"}
    return {
        "field": field,
        "help": _NEW_PASSWORD if field.name == "password1" else field.help_text,
        "input": field.as_widget(attrs=attributes),
        "is_choice": isinstance(field.field.widget, CheckboxInput),
    }
