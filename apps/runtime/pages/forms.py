"""A form as it stands on the page: fields with what was typed, errors beside them, and a summary that links to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from apps.common.errors import FieldError
from apps.runtime.pages.compiled import CompiledForm
from apps.runtime.pages.fields import Choice, Field, iter_fields
from apps.runtime.pages.submissions import Submission, is_readable_number

_HALF_WIDTH = {"number", "date", "datetime-local", "time", "tel"}


@dataclass(frozen=True, slots=True)
class BoundField:
    """What a field's template needs."""

    id: str
    name: str
    template: str
    label: str
    help: str
    required: bool
    attributes: Mapping[str, str]
    choices: tuple[Choice, ...]
    values: tuple[str, ...]
    errors: tuple[str, ...]
    aria: SafeString
    size: str
    unit: str = ""
    fields: tuple[BoundField, ...] = ()

    @property
    def value(self) -> str:
        """What stands in a field that holds one text."""
        return self.values[-1] if self.values else ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of the summary above a form; ``target`` is the id of the field it links to."""

    label: str
    detail: str
    target: str


def bind_fields(form: CompiledForm, submission: Submission | None) -> tuple[BoundField, ...]:
    """The fields of a form, filled with what was typed, or with their defaults."""
    return tuple(_bind(each, form.action, submission) for each in form.fields)


def list_problems(form: CompiledForm, errors: Sequence[FieldError]) -> list[Problem]:
    """The summary of a form's errors, in the order of its fields."""
    by_pointer = {each.pointer: each for each in iter_fields(form.fields)}
    problems = []
    for error in errors:
        pointer = error.pointer
        while pointer and pointer not in by_pointer:
            pointer = pointer.rpartition("/")[0]
        field = by_pointer.get(pointer)
        problems.append(
            Problem(field.label, _detail(error, field), _focus_id(form.action, field))
            if field
            else Problem("", error.detail, "")
        )
    return problems


def field_id(action: str, name: str) -> str:
    """The HTML id of a field."""
    return f"f-{action}-{name}"


def _focus_id(action: str, field: Field) -> str:
    return field_id(action, field.name)


def _detail(error: FieldError, field: Field) -> str:
    """The error's sentence; for one item of a list, which line it is about."""
    rest = error.pointer[len(field.pointer) :].strip("/")
    if field.reads == "lines" and rest.isdigit():
        return f"Line {int(rest) + 1}: {error.detail}"
    if rest and field.reads == "json":
        return f"At {rest}: {error.detail}"
    return error.detail


def _bind(field: Field, action: str, submission: Submission | None) -> BoundField:
    own = field_id(action, field.name)
    errors: tuple[str, ...] = ()
    values = field.initial
    if submission is not None:
        values = submission.typed.get(field.name, ())
        found = submission.errors_at(field.pointer)
        if field.widget == "group":
            inner = [each.pointer for each in iter_fields(field.fields)]
            found = [e for e in found if not any(e.pointer == p or e.pointer.startswith(p + "/") for p in inner)]
        errors = tuple(_detail(error, field) for error in found)
    attributes: dict[str, Any] = dict(field.attributes)
    if attributes.get("type") == "number" and values and not is_readable_number(values[-1]):
        # A number field would throw away words it can't read, and with them what the visitor typed.
        attributes = {"type": "text", "inputmode": "decimal"}
    return BoundField(
        id=own,
        name=field.name,
        template=f"runtime/fields/{field.widget}.html",
        label=field.label,
        help=field.help,
        required=field.required,
        attributes=attributes,
        choices=field.choices,
        values=values,
        errors=errors,
        aria=_aria(own, bool(field.help), bool(field.unit), len(errors)),
        size="half" if field.attributes.get("type") in _HALF_WIDTH or field.widget == "select" else "full",
        unit=field.unit,
        fields=tuple(_bind(each, action, submission) for each in field.fields),
    )


def _aria(own: str, has_help: bool, has_unit: bool, errors: int) -> SafeString:
    described = [f"{own}-{part}" for part, there in (("help", has_help), ("unit", has_unit)) if there]
    described += [f"{own}-error" if number == 0 else f"{own}-error-{number + 1}" for number in range(errors)]
    result = mark_safe("")
    if described:
        result += format_html(' aria-describedby="{}"', " ".join(described))
    if errors:
        result += mark_safe(' aria-invalid="true"')
    return result
