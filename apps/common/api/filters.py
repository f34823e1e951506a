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
    errors += [
        FieldError(f"/{name}", "invalid", "This moment lies outside of the calendar.")
        for name, value in bound.form.cleaned_data.items()
        if not all(_is_storable(end) for end in ((value.start, value.stop) if isinstance(value, slice) else (value,)))
    ]
    if errors:
        raise InvalidInput(errors=errors)
    return bound.qs


def _is_storable(value: Any) -> bool:
    """Whether a moment still has a date in UTC: year 1 and year 9999 have hours that don't."""
    if isinstance(value, datetime):
        try:
            value.astimezone(UTC)
        except OverflowError:
            return False
    return True
