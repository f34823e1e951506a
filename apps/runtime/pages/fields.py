"""From an action's input schema to the fields of its form.

What a field needs comes from the schema alone (``apps.common.schemas.INPUT_SCHEMA``): ``title`` is the label,
``description`` (and ``x-help``) the help, ``x-placeholder`` the placeholder, ``default`` what stands in it at first,
``x-labels`` what people read for the values of an enum, ``x-unit`` what stands beside a number, ``x-order`` the order;
the limits become the browser's own checks. The server checks everything again (``submissions.py``); the browser's
checks are a kindness.

======================================  =====================================================
schema                                  field
======================================  =====================================================
``string``                              a line of text
``string``, format ``text``             several lines
``string``, format ``email`` ``uri``    e-mail or URL, with the right keyboard on a phone
``string``, format ``date`` (``-time``) a date (and time)
``number``, ``integer``                 a number
``boolean``                             a tick box
``enum``                                radio buttons (required, up to four), else a select
array of these                          one value per line; of an ``enum``: tick boxes
``x-widget``                            ``radio``, ``select``, ``slider``, ``textarea`` instead of the above
``object``                              a group of fields
anything else                           JSON, as text
======================================  =====================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.runtime.pages.charts import words_of

MAX_RADIOS = 4
MAX_DEPTH = 3
"""Groups inside groups; what is deeper is asked for as JSON."""

_LINE_HELP = "One per line."
_PARAGRAPH_HELP = "Leave an empty line between entries."


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of an enum: what is sent (``key``), what is meant (``value``), what is read (``label``)."""

    key: str
    value: Any
    label: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form. ``widget`` names its template, ``pointer`` is its RFC 6901 place in the inputs."""

    name: str
    pointer: str
    widget: str
    label: str
    help: str
    required: bool
    schema: Mapping[str, Any]
    attributes: Mapping[str, str] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()
    fields: tuple[Field, ...] = ()
    initial: tuple[str, ...] = ()
    key: str = ""
    """The member of its object that it fills: the last part of ``name``."""
    unit: str = ""
    reads: str = "word"
    """How what is typed is read: a ``word``, ``lines`` of words, or ``json``."""


def build_fields(schema: Mapping[str, Any]) -> tuple[Field, ...]:
    """The fields for an action's input schema (an object), in the order of its properties."""
    return _fields_of(schema, name="", pointer="", depth=0)


def iter_fields(fields: tuple[Field, ...]) -> list[Field]:
    """All fields, groups followed by what is in them."""
    found: list[Field] = []
    for each in fields:
        found.append(each)
        found.extend(iter_fields(each.fields))
    return found


def value_as_text(schema: Mapping[str, Any], value: Any) -> tuple[str, ...]:
    """How a typed value stands in its field, ready to be sent again unchanged."""
    if value is None:
        return ()
    if isinstance(value, list) and schema.get("type") == "array":
        item = schema.get("items", {})
        if "enum" in item:
            return tuple(key_of(each) for each in value)
        if _is_plain(item):
            separator = "\n\n" if item.get("format") == "text" else "\n"
            return (separator.join(key_of(each) for each in value),)
    if isinstance(value, dict | list):
        return (json.dumps(value, ensure_ascii=False, indent=2),)
    return (key_of(value),)


def key_of(value: Any) -> str:
    """A plain value as it is written in a form."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return json.dumps(value)


def _fields_of(schema: Mapping[str, Any], *, name: str, pointer: str, depth: int) -> tuple[Field, ...]:
    required = set(schema.get("required", ()))
    properties = schema.get("properties", {})
    order = [*(key for key in schema.get("x-order", ()) if key in properties), *properties]
    return tuple(
        _field(
            each,
            key=key,
            name=f"{name}.{key}" if name else key,
            pointer=f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}",
            required=key in required,
            depth=depth,
        )
        for key, each in ((key, properties[key]) for key in dict.fromkeys(order))
    )


def _field(schema: Mapping[str, Any], *, key: str, name: str, pointer: str, required: bool, depth: int) -> Field:
    common: dict[str, Any] = {
        "key": key,
        "name": name,
        "pointer": pointer,
        "label": str(schema.get("title") or words_of(key)),
        "help": " ".join(str(schema[name]) for name in ("description", "x-help") if schema.get(name)),
        "required": required,
        "schema": schema,
        "initial": value_as_text(schema, schema.get("default")),
        "unit": str(schema.get("x-unit", "")),
    }
    if "enum" in schema:
        return _enum_field(schema, common)
    match schema["type"]:
        case "boolean":
            return Field(widget="checkbox", **common | {"required": False})
        case "number" | "integer" as kind:
            return _number_field(schema, kind, common)
        case "string":
            return _string_field(schema, key, common)
        case "array" if "enum" in schema["items"]:
            return Field(widget="checkboxes", choices=_choices(schema["items"]), **common)
        case "array" if _is_plain(schema["items"]):
            return _lines_field(schema["items"], common)
        case "object" if schema.get("properties") and depth < MAX_DEPTH:
            inner = _fields_of(schema, name=name, pointer=pointer, depth=depth + 1)
            return Field(widget="group", fields=inner, **common)
    common["help"] = f"{common['help']} Written as JSON.".strip()
    return Field(widget="textarea", attributes={"rows": "6", "spellcheck": "false"}, reads="json", **common)


def _enum_field(schema: Mapping[str, Any], common: dict[str, Any]) -> Field:
    choices, wanted = _choices(schema), schema.get("x-widget")
    radios = wanted == "radio" or (common["required"] and len(choices) <= MAX_RADIOS and wanted != "select")
    return Field(widget="radios" if radios else "select", choices=choices, **common)


def _number_field(schema: Mapping[str, Any], kind: str, common: dict[str, Any]) -> Field:
    attributes = _number_attributes(schema, kind)
    if schema.get("x-widget") == "slider" and {"minimum", "maximum"} <= schema.keys():
        return Field(widget="slider", attributes=attributes | {"type": "range"}, **common)
    return Field(widget="input", attributes=attributes, **common)


def _string_field(schema: Mapping[str, Any], key: str, common: dict[str, Any]) -> Field:
    if schema.get("format") == "text" or schema.get("x-widget") == "textarea":
        return Field(widget="textarea", attributes=_length_attributes(schema) | {"rows": "5"}, **common)
    return Field(widget="input", attributes=_string_attributes(schema, key), **common)


def _lines_field(items: Mapping[str, Any], common: dict[str, Any]) -> Field:
    hint = _PARAGRAPH_HELP if items.get("format") == "text" else _LINE_HELP
    common["help"] = f"{common['help']} {hint}".strip()
    return Field(widget="textarea", attributes={"rows": "4"} | _lines_attributes(items), reads="lines", **common)


def _is_plain(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") in {"string", "number", "integer", "boolean"}


def _choices(schema: Mapping[str, Any]) -> tuple[Choice, ...]:
    labels = schema.get("x-labels", {})
    return tuple(
        Choice(key=key_of(value), value=value, label=str(labels.get(key_of(value)) or key_of(value)))
        for value in schema["enum"]
    )


def _number_attributes(schema: Mapping[str, Any], kind: str) -> dict[str, str]:
    whole = kind == "integer"
    attributes = {"type": "number", "step": key_of(schema.get("multipleOf", 1 if whole else "any"))}
    lowest, highest = schema.get("minimum"), schema.get("maximum")
    if whole and "exclusiveMinimum" in schema:
        lowest = schema["exclusiveMinimum"] + 1
    if whole and "exclusiveMaximum" in schema:
        highest = schema["exclusiveMaximum"] - 1
    if lowest is not None:
        attributes["min"] = key_of(lowest)
    if highest is not None:
        attributes["max"] = key_of(highest)
    if (lowest if lowest is not None else schema.get("exclusiveMinimum", -1)) >= 0:
        # Phones' number pads have no minus, so they are only asked for where none is needed.
        attributes["inputmode"] = "numeric" if whole else "decimal"
    return attributes | _placeholder(schema)


_STRING_TYPES = {
    "email": {"type": "email", "inputmode": "email", "autocomplete": "email", "autocapitalize": "off"},
    "idn-email": {"type": "email", "inputmode": "email", "autocomplete": "email", "autocapitalize": "off"},
    "uri": {"type": "url", "inputmode": "url", "autocomplete": "url", "autocapitalize": "off"},
    "url": {"type": "url", "inputmode": "url", "autocomplete": "url", "autocapitalize": "off"},
    "date": {"type": "date"},
    "date-time": {"type": "datetime-local"},
    "time": {"type": "time"},
}
_AUTOCOMPLETE = {
    "name": "name",
    "full_name": "name",
    "first_name": "given-name",
    "last_name": "family-name",
    "company": "organization",
    "organization": "organization",
    "street": "street-address",
    "city": "address-level2",
    "postcode": "postal-code",
    "postal_code": "postal-code",
    "zip": "postal-code",
    "country": "country-name",
    "phone": "tel",
}


def _string_attributes(schema: Mapping[str, Any], key: str) -> dict[str, str]:
    attributes = {"type": "text"} | _STRING_TYPES.get(str(schema.get("format", "")), {})
    if attributes["type"] == "text" and key in _AUTOCOMPLETE:
        attributes["autocomplete"] = _AUTOCOMPLETE[key]
        if key == "phone":
            attributes |= {"type": "tel", "inputmode": "tel"}
    if attributes["type"] in {"text", "tel", "email", "url"}:
        attributes |= _length_attributes(schema)
        if "pattern" in schema and len(schema["pattern"]) <= 200:
            attributes["pattern"] = f".*(?:{schema['pattern']}).*"
            attributes["title"] = str(schema.get("description") or "Follow the form that is asked for.")
    return attributes | _placeholder(schema)


def _length_attributes(schema: Mapping[str, Any]) -> dict[str, str]:
    attributes = {}
    if "minLength" in schema:
        attributes["minlength"] = str(schema["minLength"])
    if "maxLength" in schema:
        attributes["maxlength"] = str(schema["maxLength"])
    return attributes | _placeholder(schema)


def _lines_attributes(items: Mapping[str, Any]) -> dict[str, str]:
    if items.get("type") in {"number", "integer"} or items.get("format") in {"email", "uri", "date"}:
        return {"spellcheck": "false", "autocapitalize": "off"}
    return {}


def _placeholder(schema: Mapping[str, Any]) -> dict[str, str]:
    return {"placeholder": str(schema["x-placeholder"])} if schema.get("x-placeholder") else {}
