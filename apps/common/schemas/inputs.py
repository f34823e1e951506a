"""What users write as an action's ``input``: a small, closed part of JSON Schema from which forms can be made.

Objects, text, numbers, whole numbers, booleans and lists of these; no references, no combinators, at most eight deep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.common.errors import FieldError, InvalidActionInput, InvalidInput

from .validation import Schema, SchemaRefused, compile_schema, pointer_to

MAX_DEPTH = 8
MAX_FIELDS = 100
MAX_OPTIONS = 500
MAX_PATTERN = 500
FORMATS = ("text", "date", "date-time", "email", "uri")
"""What a string may be; ``text`` is text of several lines."""

_MAX_INT = 2**63 - 1
_MIN_INT = -(2**63)

_TEXT = {"type": "string", "maxLength": 200}
_LONG_TEXT = {"type": "string", "maxLength": 2_000}
_COUNT = {"type": "integer", "minimum": 0, "maximum": 1_000_000}
_COMMON: dict[str, Any] = {
    "type": {"enum": ["string", "number", "integer", "boolean", "array", "object"]},
    "title": _TEXT,
    "description": _LONG_TEXT,
    "default": True,
    "x-placeholder": _TEXT,
    "x-help": _LONG_TEXT,
    "x-unit": {"type": "string", "maxLength": 20},
    "x-widget": {"enum": ["input", "select", "radio", "checkboxes", "slider", "textarea"]},
}
_LABELS = {"type": "object", "additionalProperties": _TEXT, "maxProperties": MAX_OPTIONS}
_NUMERIC: dict[str, Any] = {
    **{name: {"type": "number"} for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")},
    "multipleOf": {"type": "number", "exclusiveMinimum": 0},
}


def _options(kind: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": kind}, "minItems": 1, "maxItems": MAX_OPTIONS, "uniqueItems": True}


_OBJECT: dict[str, Any] = {
    "properties": {
        "type": "object",
        "propertyNames": {"pattern": "^[A-Za-z][A-Za-z0-9_]{0,62}$"},
        "additionalProperties": {"$ref": "#/$defs/field"},
        "maxProperties": MAX_FIELDS,
    },
    "required": {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "maxItems": MAX_FIELDS},
    "additionalProperties": {"const": False},
    "x-order": {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "maxItems": MAX_FIELDS},
}
_BY_TYPE: dict[str, dict[str, Any]] = {
    "string": {
        "minLength": _COUNT,
        "maxLength": _COUNT,
        "pattern": {"type": "string", "maxLength": MAX_PATTERN},
        "x-pattern-hint": _TEXT,
        "format": {"enum": list(FORMATS)},
        "enum": _options("string"),
        "x-labels": _LABELS,
    },
    "number": {**_NUMERIC, "enum": _options("number"), "x-labels": _LABELS},
    "integer": {**_NUMERIC, "enum": _options("integer"), "x-labels": _LABELS},
    "boolean": {},
    "array": {
        "items": {"$ref": "#/$defs/field"},
        "minItems": _COUNT,
        "maxItems": {"type": "integer", "minimum": 0, "maximum": 10_000},
        "uniqueItems": {"type": "boolean"},
    },
    "object": _OBJECT,
}

INPUT_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Input of an action",
    "description": "A closed part of JSON Schema: no references, no combinators, at most eight levels deep.",
    "$ref": "#/$defs/input",
    "$defs": {
        "input": {
            "type": "object",
            "required": ["type"],
            "properties": {**_COMMON, "type": {"const": "object"}, **_OBJECT},
            "additionalProperties": False,
        },
        "field": {
            "type": "object",
            "required": ["type"],
            "properties": {"type": _COMMON["type"]},
            "allOf": [
                {
                    "if": {"properties": {"type": {"const": kind}}, "required": ["type"]},
                    "then": {
                        "properties": {**_COMMON, **keywords},
                        "additionalProperties": False,
                        **({"required": ["items"]} if kind == "array" else {}),
                    },
                }
                for kind, keywords in _BY_TYPE.items()
            ],
        },
    },
}
"""The JSON Schema of an action's ``input``; the ``$defs`` may be embedded where a larger schema needs them."""

_input_meta_schema = compile_schema(INPUT_SCHEMA)


class InputSchema:
    """An action's input, compiled: says what is wrong with inputs and gives them the types that expressions expect."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self._schema: Schema = compile_schema(_closed(document))

    def errors(self, inputs: Any, *, at: str = "") -> tuple[FieldError, ...]:
        found = self._schema.errors(inputs, at=at)
        return found or tuple(_beyond_64_bits(inputs, at))

    def accept(self, inputs: Any, *, at: str = "", refusal: type[InvalidInput] = InvalidActionInput) -> dict[str, Any]:
        """The inputs, complete with defaults and coerced. Raises ``refusal`` with pointers below ``at``."""
        completed = with_defaults(inputs, self.document)
        found = self.errors(completed, at=at)
        if found:
            raise refusal(errors=found)
        accepted: dict[str, Any] = coerce(completed, self.document)
        return accepted


def compile_input_schema(document: Any) -> InputSchema:
    """Raises ``SchemaRefused`` for what ``input_schema_errors`` names."""
    errors = input_schema_errors(document)
    if errors:
        raise SchemaRefused(errors=errors)
    return InputSchema(document)


def input_schema_errors(document: Any, *, at: str = "") -> tuple[FieldError, ...]:
    """Why ``document`` can't be an action's input; pointers below ``at``. Ends in milliseconds whatever is given."""
    deep = _too_deep(document, at)
    if deep:
        return (deep,)
    found = _input_meta_schema.errors(document, at=at)
    if found:
        return found
    try:
        compile_schema(_closed(document))
    except SchemaRefused as refusal:
        return tuple(FieldError(at + error.pointer, error.code, error.detail) for error in refusal.errors)
    return tuple(_contradictions(document, at))


def coerce(value: Any, schema: Mapping[str, Any]) -> Any:
    """A valid ``value`` in the types of ``schema``: a ``number`` is a float, ``3.0`` for an ``integer`` is 3.

    Text is left as it is, white space included; ``coerce_text`` is for what people type.
    """
    match schema.get("type"):
        case "number":
            return float(value)
        case "integer":
            return int(value)
        case "array":
            return [coerce(item, schema["items"]) for item in value]
        case "object":
            fields = schema.get("properties", {})
            return {name: coerce(item, fields[name]) if name in fields else item for name, item in value.items()}
    return value


def with_defaults(value: Any, schema: Mapping[str, Any]) -> Any:
    """``value`` with the defaults of absent fields filled in, in objects that are there."""
    if schema.get("type") != "object" or not isinstance(value, dict):
        return value
    completed = dict(value)
    for name, field in schema.get("properties", {}).items():
        if name in completed:
            completed[name] = with_defaults(completed[name], field)
        elif "default" in field:
            completed[name] = field["default"]
    return completed


def coerce_text(texts: str | Sequence[str], schema: Mapping[str, Any]) -> Any:
    """What a form sent for one field, as the field's type; ``None`` when it was left empty.

    White space around is dropped, except in text of several lines. What can't be read as the type stays text, so that
    the schema's own error says what was expected. A list takes one text for each item, or lines of one text.
    """
    if schema.get("type") == "array":
        lines = texts.splitlines() if isinstance(texts, str) else [line for text in texts for line in text.splitlines()]
        items = (coerce_text(line, schema["items"]) for line in lines)
        return [item for item in items if item is not None]
    raw = texts if isinstance(texts, str) else (texts[-1] if texts else "")
    text = raw.replace("\r\n", "\n") if schema.get("format") == "text" else raw.strip()
    if schema.get("type") == "boolean":
        return {
            "": False,
            "on": True,
            "true": True,
            "1": True,
            "yes": True,
            "false": False,
            "0": False,
            "no": False,
        }.get(text.lower(), text)
    if text == "":
        return None
    try:
        match schema.get("type"):
            case "integer":
                return int(text) if len(text) <= 20 and "_" not in text else text
            case "number":
                return _finite(text)
    except ValueError:
        return text
    return text


def _finite(text: str) -> Any:
    number = float(text)
    return number if abs(number) < float("inf") and "_" not in text else text


def _closed(schema: Any) -> Any:
    """The schema with every object closed: an input that isn't asked for is an error, not silently dropped."""
    if not isinstance(schema, Mapping):
        return schema
    closed = dict(schema)
    if closed.get("type") == "object":
        closed["properties"] = {name: _closed(field) for name, field in closed.get("properties", {}).items()}
        closed["additionalProperties"] = False
    if "items" in closed:
        closed["items"] = _closed(closed["items"])
    return closed


def _too_deep(document: Any, at: str) -> FieldError | None:
    """The first place that lies too deep, without recursion; each schema in ``properties`` or ``items`` is a level."""
    waiting: list[tuple[Any, tuple[str, ...], int]] = [(document, (), 1)]
    while waiting:
        schema, path, level = waiting.pop()
        if level > MAX_DEPTH:
            return FieldError(at + pointer_to(path), "too_deep", f"An input may nest at most {MAX_DEPTH} deep.")
        if not isinstance(schema, Mapping):
            continue
        if "items" in schema:
            waiting.append((schema["items"], (*path, "items"), level + 1))
        fields = schema.get("properties")
        if isinstance(fields, Mapping):
            waiting.extend((field, (*path, "properties", str(name)), level + 1) for name, field in fields.items())
    return None


def _contradictions(schema: Mapping[str, Any], at: str) -> list[FieldError]:
    """What is well formed but can never be right."""
    found: list[FieldError] = []
    for lower, upper in (
        ("minimum", "maximum"),
        ("exclusiveMinimum", "exclusiveMaximum"),
        ("minLength", "maxLength"),
        ("minItems", "maxItems"),
    ):
        if lower in schema and upper in schema and schema[lower] > schema[upper]:
            found.append(FieldError(f"{at}/{lower}", "contradiction", f"{lower} is above {upper}; nothing can fit."))
    fields = schema.get("properties", {})
    for keyword in ("required", "x-order"):
        for index, name in enumerate(schema.get(keyword, ())):
            if name not in fields:
                detail = f"There is no field {name[:60]!r} in properties."
                found.append(FieldError(f"{at}/{keyword}/{index}", "unknown_field", detail))
    if "default" in schema and not found:
        found.extend(compile_schema(_closed(schema)).errors(schema["default"], at=f"{at}/default"))
    for name, field in fields.items():
        found.extend(_contradictions(field, at + pointer_to(["properties", name])))
    if "items" in schema:
        found.extend(_contradictions(schema["items"], f"{at}/items"))
    return found


def _beyond_64_bits(value: Any, at: str) -> list[FieldError]:
    """Whole numbers that neither an expression nor the database can hold; a float such as 1e30 is one for a schema."""
    if isinstance(value, bool):
        return []
    if isinstance(value, int) and not _MIN_INT <= value <= _MAX_INT:
        return [FieldError(at, "too_large", "This whole number is too large; 64 bits are available.")]
    if isinstance(value, list):
        return [error for index, item in enumerate(value) for error in _beyond_64_bits(item, f"{at}/{index}")]
    if isinstance(value, dict):
        return [error for name, item in value.items() for error in _beyond_64_bits(item, at + pointer_to([name]))]
    return []
