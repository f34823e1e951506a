"""A validator's findings as sentences for people, with the field's own title, and as stable codes for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jsonschema_rs

Finding = tuple[list[str | int], str, str]
"""Path, code, sentence."""

_TYPES = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_FORMATS = {
    "date": "a date such as 2026-03-31",
    "date-time": "a time such as 2026-03-31T12:00:00Z",
    "time": "a time of day such as 12:30:00Z",
    "email": "an e-mail address",
    "uri": "a web address that begins with http:// or https://",
    "uuid": "a UUID",
}


def describe(error: jsonschema_rs.ValidationError, schema: Mapping[str, Any]) -> Iterator[Finding]:
    """What one error of the library means, as one finding for each field at fault.

    A schema's ``x-pattern-hint`` says in words what its ``pattern`` asks for: "must be three capital letters".
    """
    path = list(error.instance_path)
    parent = _parent_schema(schema, error.schema_path)
    facts = error.kind.as_dict()
    match error.kind.name:
        case "required":
            missing = facts["property"]
            yield [*path, missing], "required", f"{_label(_property(parent, missing), missing)} is required."
        case "additionalProperties" | "unevaluatedProperties":
            known = list(parent.get("properties", ())) if isinstance(parent, Mapping) else []
            for name in facts["unexpected"]:
                yield [*path, name], "unknown_field", _unknown(name, known)
        case "propertyNames":
            name = str(facts["error"].instance)
            detail = f"{_short(name)!r} can't be a name here; begin with a letter, then letters, digits and _."
            yield [*path, name], "bad_name", detail
        case keyword:
            label = _label(parent, path[-1] if path else None)
            code, predicate = _predicate(keyword, facts, error)
            if keyword == "pattern" and isinstance(parent.get("x-pattern-hint"), str):
                predicate = parent["x-pattern-hint"].rstrip(".")
            yield path, code, f"{label} {predicate}."


_PREDICATES: dict[str, tuple[str, Callable[[Mapping[str, Any]], str]]] = {
    "type": ("wrong_type", lambda facts: f"must be {' or '.join(_TYPES.get(name, name) for name in facts['types'])}"),
    "enum": ("not_in_enum", lambda facts: f"must be one of {_listed(facts['options'])}"),
    "const": ("not_in_enum", lambda facts: f"must be {_written(facts['expected_value'])}"),
    "minimum": ("too_small", lambda facts: f"must be at least {_written(facts['limit'])}"),
    "maximum": ("too_large", lambda facts: f"must be at most {_written(facts['limit'])}"),
    "exclusiveMinimum": ("too_small", lambda facts: f"must be more than {_written(facts['limit'])}"),
    "exclusiveMaximum": ("too_large", lambda facts: f"must be less than {_written(facts['limit'])}"),
    "multipleOf": ("not_a_multiple", lambda facts: f"must be a multiple of {_written(facts['multiple_of'])}"),
    "minLength": ("too_short", lambda facts: f"must have at least {_counted(facts['limit'], 'character')}"),
    "maxLength": ("too_long", lambda facts: f"may have at most {_counted(facts['limit'], 'character')}"),
    "pattern": ("bad_pattern", lambda _: "doesn't have the form that is asked for"),
    "format": ("bad_format", lambda facts: f"must be {_FORMATS.get(facts['format'], facts['format'])}"),
    "minItems": ("too_few", lambda facts: f"must have at least {_counted(facts['limit'], 'item')}"),
    "maxItems": ("too_many", lambda facts: f"may have at most {_counted(facts['limit'], 'item')}"),
    "minProperties": ("too_few", lambda facts: f"must have at least {_counted(facts['limit'], 'entry')}"),
    "maxProperties": ("too_many", lambda facts: f"may have at most {_counted(facts['limit'], 'entry')}"),
    "uniqueItems": ("not_unique", lambda _: "may not hold the same item twice"),
}
"""For each keyword the code, and the rest of the sentence that begins with the field's title."""


def _predicate(keyword: str, facts: Mapping[str, Any], error: jsonschema_rs.ValidationError) -> tuple[str, str]:
    if keyword == "minLength" and error.instance == "":
        return "too_short", "can't be empty"
    code, rest = _PREDICATES.get(keyword, ("invalid", lambda _: "is not valid here"))
    return code, rest(facts)


def _parent_schema(schema: Mapping[str, Any], schema_path: list[str | int]) -> Any:
    """The schema that holds the keyword at fault; its ``title`` names the field."""
    here: Any = schema
    for part in schema_path[:-1]:
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            return {}
    return here


def _property(parent: Any, name: str) -> Any:
    properties = parent.get("properties") if isinstance(parent, Mapping) else None
    return properties.get(name) if isinstance(properties, Mapping) else None


def _label(schema: Any, key: str | int | None) -> str:
    title = schema.get("title") if isinstance(schema, Mapping) else None
    if isinstance(title, str) and title:
        return title
    if key is None:
        return "This"
    return f"Item {key + 1}" if isinstance(key, int) else _short(key)


def _unknown(name: str, known: list[str]) -> str:
    if not known or len(known) > 20:
        return f"There is no field {_short(name)!r} here."
    return f"There is no field {_short(name)!r} here; there are {_listed(known)}."


def _listed(options: list[Any]) -> str:
    shown = ", ".join(_written(option) for option in options[:12])
    return f"{shown} and {len(options) - 12} more" if len(options) > 12 else shown


def _written(value: Any) -> str:
    if isinstance(value, str):
        return _short(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False, default=str)[:80]


def _counted(number: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
