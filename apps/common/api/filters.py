"""Filters of lists: django-filter, but a value that can't be meant is refused instead of ignored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS
from django.db.models import QuerySet
from django.forms import NullBooleanField
from django.http import QueryDict
from django_filters import FilterSet

from apps.common.errors import FieldError, InvalidInput

_BOOLEANS = {"", "true", "false"}


class Filters(FilterSet):
    """The base of every list's filters."""


def parameter_names(filters: type[Filters]) -> list[str]:
    """The query parameters that ``filters`` takes; a range has two (``…_min`` and ``…_max``, for example)."""
    names: list[str] = []
    for name, declared in filters.base_filters.items():
        suffixes = getattr(getattr(declared.field_class, "widget", None), "suffixes", None)
        names += [f"{name}_{suffix}" for suffix in suffixes if suffix] if suffixes else [name]
    return names


def apply_filters(queryset: QuerySet[Any], filters: type[Filters], *, query: QueryDict, request: Any) -> QuerySet[Any]:
    """``queryset`` narrowed as ``query`` asks. Raises InvalidInput with a pointer at each parameter that is wrong."""
    if not any(name in query for name in parameter_names(filters)):
        return queryset
    bound = filters(query, queryset=queryset, request=request)
    errors = [
        FieldError(f"/{name}", "invalid", "This is either true or false.")
        for name, field in bound.form.fields.items()
        if isinstance(field, NullBooleanField) and query.get(name, "").lower() not in _BOOLEANS
    ]
    for name, problems in bound.errors.as_data().items():
        pointer = "" if name == NON_FIELD_ERRORS else f"/{name}"
        errors += [FieldError(pointer, problem.code or "invalid", " ".join(problem.messages)) for problem in problems]
    values = bound.form.cleaned_data
    for name, value in values.items():
        try:
            is_range = isinstance(value, slice)
            values[name] = slice(_in_utc(value.start), _in_utc(value.stop)) if is_range else _in_utc(value)
        except OverflowError:
            errors.append(FieldError(f"/{name}", "invalid", "This moment lies outside of the calendar."))
    if errors:
        raise InvalidInput(errors=errors)
    narrowed: QuerySet[Any] = bound.qs
    return narrowed


def _in_utc(value: Any) -> Any:
    """A moment in UTC: PostgreSQL knows no offsets of 16 hours and more, Python does.

    Raises OverflowError in the hours of year 1 and year 9999 that have no date there.
    """
    return value.astimezone(UTC) if isinstance(value, datetime) else value
