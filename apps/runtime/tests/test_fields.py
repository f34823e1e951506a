"""Forms from JSON Schema: what each type becomes, and how what is typed is read."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import QueryDict
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.common.schemas import InputSchema, input_schema_errors
from apps.runtime.pages.fields import build_fields, iter_fields, value_as_text
from apps.runtime.pages.submissions import read_submission, show_values

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["line", "amount", "colour"],
    "x-order": ["amount", "line"],
    "properties": {
        "line": {"type": "string", "minLength": 2, "maxLength": 20, "x-placeholder": "A name"},
        "text": {"type": "string", "format": "text"},
        "amount": {"type": "number", "minimum": 0.5, "maximum": 1000, "title": "Amount", "x-unit": "EUR"},
        "count": {"type": "integer", "minimum": -5},
        "yes": {"type": "boolean"},
        "colour": {"type": "string", "enum": ["red", "blue"], "x-labels": {"red": "Red wine"}},
        "size": {"type": "integer", "enum": [1, 2, 3, 4, 5]},
        "day": {"type": "string", "format": "date"},
        "moment": {"type": "string", "format": "date-time"},
        "mail": {"type": "string", "format": "email"},
        "site": {"type": "string", "format": "uri"},
        "numbers": {"type": "array", "items": {"type": "number", "maximum": 10}},
        "tags": {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}},
        "notes": {"type": "array", "items": {"type": "string", "format": "text"}},
        "place": {"type": "object", "properties": {"city": {"type": "string"}, "far": {"type": "boolean"}}},
        "rows": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "number"}}}},
    },
}
FIELDS = build_fields(SCHEMA)
BY_NAME = {field.name: field for field in iter_fields(FIELDS)}
GOOD = "line=ab&amount=1.5&colour=red"


def read(query: str) -> Any:
    return read_submission(FIELDS, QueryDict(query), InputSchema(SCHEMA).errors)


def errors(query: str) -> dict[str, str]:
    return {error.pointer: error.detail for error in read(query).errors}


def test_the_schema_of_these_tests_is_one_that_users_may_write() -> None:
    assert input_schema_errors(SCHEMA) == ()


@pytest.mark.parametrize(
    ("name", "widget", "attributes"),
    [
        ("line", "input", {"type": "text", "minlength": "2", "maxlength": "20", "placeholder": "A name"}),
        ("text", "textarea", {"rows": "5"}),
        ("amount", "input", {"type": "number", "min": "0.5", "max": "1000", "step": "any", "inputmode": "decimal"}),
        ("count", "input", {"type": "number", "min": "-5", "step": "1"}),
        ("yes", "checkbox", {}),
        ("colour", "radios", {}),
        ("size", "select", {}),
        ("day", "input", {"type": "date"}),
        ("mail", "input", {"type": "email", "inputmode": "email", "autocomplete": "email", "autocapitalize": "off"}),
        ("numbers", "textarea", {"rows": "4", "spellcheck": "false", "autocapitalize": "off"}),
        ("tags", "checkboxes", {}),
        ("place", "group", {}),
        ("place.city", "input", {"type": "text", "autocomplete": "address-level2"}),
        ("rows", "textarea", {"rows": "6", "spellcheck": "false"}),
    ],
)
def test_each_type_becomes_its_field(name: str, widget: str, attributes: dict[str, str]) -> None:
    assert BY_NAME[name].widget == widget
    assert dict(BY_NAME[name].attributes) == attributes


def test_labels_and_order_come_from_the_schema() -> None:
    assert [field.name for field in FIELDS][:3] == ["amount", "line", "text"]
    assert [choice.label for choice in BY_NAME["colour"].choices] == ["Red wine", "blue"]
    assert BY_NAME["place.city"].pointer == "/place/city"


def test_words_become_values() -> None:
    sent = read(
        f"{GOOD}&count=-3&yes=true&size=4&day=2026-02-28&moment=2026-02-28T10:00&numbers=1%0D%0A2.5%0D%0A%0D%0A"
        "&tags=x&tags=y&notes=a%0Ab%0A%0Ac&place.city=Bern&rows=[{%22a%22:1}]&mail=+a@example.com+"
    )
    assert sent.errors == ()
    assert sent.values == {
        "line": "ab",
        "amount": 1.5,
        "colour": "red",
        "count": -3,
        "yes": True,
        "size": 4,
        "day": "2026-02-28",
        "moment": "2026-02-28T10:00:00Z",
        "numbers": [1.0, 2.5],
        "tags": ["x", "y"],
        "notes": ["a\nb", "c"],
        "place": {"city": "Bern", "far": False},
        "rows": [{"a": 1}],
        "mail": "a@example.com",
    }


@pytest.mark.parametrize(
    ("typed", "advice"),
    [
        ("1.000,5", "Write 1000.5"),
        ("1,000.50", "Write 1000.50"),
        ("12,5", "Write 12.5"),
        ("1 000", "Write 1000"),
        ("1'000.5", "Write 1000.5"),
        ("1,000", "Is this 1000 or 1.000?"),
        ("abc", "Write a number with digits only"),
        ("1e999", "too large"),
        ("NaN", "Write a number"),
        ("١٢", "Write a number"),
    ],
)
def test_numbers_of_other_places_get_advice(typed: str, advice: str) -> None:
    assert advice in errors(f"line=ab&colour=red&amount={typed.replace(' ', '%20')}")["/amount"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("count=1.5", "/count"),
        ("size=9", "/size"),
        ("colour=green", "/colour"),
        ("day=2026-02-30", "/day"),
        ("mail=nobody", "/mail"),
        ("numbers=1%0Ax", "/numbers"),
        ("numbers=1%0A99", "/numbers/1"),
        ("tags=z", "/tags"),
        ("rows=[", "/rows"),
        ("line=a", "/line"),
        ("line=a%00b", "/line"),
        ("amount=", "/amount"),
        ("rows=" + "[" * 50_000, "/rows"),
    ],
)
def test_what_does_not_fit_is_told_at_its_field(query: str, pointer: str) -> None:
    name = query.partition("=")[0]
    others = "&".join(part for part in GOOD.split("&") if not part.startswith(f"{name}="))
    assert list(errors(f"{others}&{query}")) == [pointer]


def test_errors_come_in_the_order_of_the_fields() -> None:
    assert list(errors("numbers=x&day=x")) == ["/amount", "/line", "/colour", "/day", "/numbers"]


@settings(deadline=None)
@given(st.text(max_size=40))
def test_nothing_that_is_typed_is_lost_or_breaks(text: str) -> None:
    data = QueryDict(mutable=True)
    for field in BY_NAME.values():
        data[field.name] = text
    sent = read_submission(FIELDS, data, InputSchema(SCHEMA).errors)
    assert all(sent.typed[name] == (text,) for name, field in BY_NAME.items() if field.widget != "group")


@settings(deadline=None)
@given(st.lists(st.floats(-1e9, 1e9), max_size=5), st.integers(-5, 10**12), st.booleans())
def test_what_is_shown_again_reads_as_what_it_was(numbers: list[float], count: int, yes: bool) -> None:
    values = {"numbers": numbers, "count": count, "yes": yes}
    shown = show_values(FIELDS, values)
    data = QueryDict(mutable=True)
    for name, words in shown.typed.items():
        data.setlist(name, list(words))
    again = read_submission(FIELDS, data, lambda _: ())
    assert {name: value for name, value in again.values.items() if name in values} == {
        name: value for name, value in values.items() if value != []
    }


def test_a_value_in_its_field() -> None:
    assert value_as_text({"type": "number"}, 3.0) == ("3",)
    assert value_as_text({"type": "boolean"}, True) == ("true",)
    assert value_as_text({"type": "array", "items": {"type": "string"}}, ["a", "b"]) == ("a\nb",)


@pytest.mark.parametrize(
    "typed", [r'[{"b": "\u0000"}]', r'[{"b": "\ud800"}]', '[{"a": 1, "a": 2}]', "[" * 70 + "]" * 70]
)
def test_json_in_a_form_is_read_like_any_json(typed: str) -> None:
    """What couldn't be stored with the run is told beside the field."""
    fields = build_fields({"type": "object", "properties": {"rows": SCHEMA["properties"]["rows"]}})
    submission = read_submission(fields, QueryDict(urlencode({"rows": typed})), lambda inputs, **_: ())
    assert [error.pointer for error in submission.errors] == ["/rows"]
