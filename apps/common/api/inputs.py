"""What views read: serializers that take exactly what they name, of exactly the type that it has in JSON.

DRF's fields are made for HTML forms: they read ``"5"`` as 5, ``1`` as true and ``true`` as "True", and skip names they
don't know. Here each of these is an error that points at the place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.settings import api_settings

_TEXTS = (
    serializers.CharField,
    serializers.UUIDField,
    serializers.DateTimeField,
    serializers.DateField,
    serializers.TimeField,
    serializers.DurationField,
    serializers.IPAddressField,
)
_TYPE_ERRORS = {
    "text": "This is a text.",
    "boolean": "This is true or false.",
    "whole": "This is a whole number.",
    "number": "This is a number.",
    "decimal": "This is a number, or a text that spells one.",
}


class Input(serializers.Serializer[Any]):
    """The base of every input serializer. It never saves: ``validated_data`` goes to a service."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            message = "This is an object."
            raise ValidationError({api_settings.NON_FIELD_ERRORS_KEY: [ErrorDetail(message, code="wrong_type")]})
        errors: dict[str, Any] = {}
        known = {name: field for name, field in self.fields.items() if not field.read_only}
        for name, value in data.items():
            field = known.get(name)
            if field is None:
                choices = ", ".join(known) or "nothing"
                errors[name] = [ErrorDetail(f"This is not known here. There is {choices}.", code="unknown_field")]
            elif value is not None and (wrong := type_error(field, value)) is not None:
                errors[name] = wrong
        if not errors:
            return super().to_internal_value(data)
        # What is wrong beside the types is said in the same answer.
        try:
            super().to_internal_value(data)
        except ValidationError as error:
            if isinstance(error.detail, dict):
                errors = {**error.detail, **errors}
        raise ValidationError(errors)


def type_error(field: serializers.Field[Any, Any, Any, Any], value: Any) -> Any:
    """What DRF would report for ``value`` if it took JSON's types seriously; None when the type is right."""
    if isinstance(field, serializers.ListField) and isinstance(value, list):
        return _list_errors(field.child, value)
    if isinstance(field, serializers.DictField) and isinstance(value, dict):
        wrong = {key: type_error(field.child, item) for key, item in value.items() if item is not None}
        return {key: error for key, error in wrong.items() if error is not None} or None
    expected = _expected(field, value)
    return [ErrorDetail(_TYPE_ERRORS[expected], code="wrong_type")] if expected else None


def _list_errors(child: Any, values: list[Any]) -> dict[int, Any] | None:
    wrong = {index: type_error(child, value) for index, value in enumerate(values) if value is not None}
    return {index: error for index, error in wrong.items() if error is not None} or None


def _expected(field: Any, value: Any) -> str | None:
    """The type that ``value`` should have had, or None."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(field, serializers.BooleanField):
        return None if isinstance(value, bool) else "boolean"
    if isinstance(field, serializers.IntegerField):
        return None if is_number and value == int(value) else "whole"
    if isinstance(field, serializers.DecimalField):
        return None if is_number or isinstance(value, str) else "decimal"
    if isinstance(field, serializers.FloatField):
        return None if is_number else "number"
    if isinstance(field, serializers.ChoiceField) and not isinstance(field, serializers.MultipleChoiceField):
        return "text" if not isinstance(value, str) and all(isinstance(key, str) for key in field.choices) else None
    if isinstance(field, _TEXTS):
        return None if isinstance(value, str) else "text"
    return None
