"""Schemas: errors that people understand, inputs in the right types, and nothing fetched or hung on."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from threading import Thread
from typing import ClassVar

import pytest

from apps.common.errors import FieldError, InvalidActionInput
from apps.common.schemas import (
    INPUT_SCHEMA,
    SchemaRefused,
    coerce_text,
    compile_input_schema,
    compile_schema,
    input_schema_errors,
    pointer_to,
)

LOAN = {
    "type": "object",
    "required": ["amount", "months"],
    "properties": {
        "amount": {"type": "number", "title": "Amount", "minimum": 1, "maximum": 1_000_000},
        "months": {"type": "integer", "title": "Months", "minimum": 1, "maximum": 480},
        "mail": {"type": "string", "title": "E-mail", "format": "email"},
        "site": {"type": "string", "title": "Site", "format": "uri"},
        "start": {"type": "string", "title": "Start", "format": "date"},
        "kind": {"type": "string", "title": "Kind", "enum": ["flat", "annuity"], "default": "annuity"},
        "extras": {"type": "array", "title": "Extras", "items": {"type": "integer", "title": "Extra"}, "minItems": 1},
        "code": {"type": "string", "title": "Code", "pattern": "^[A-Z]+$", "maxLength": 3},
        "plate": {"type": "string", "title": "Plate", "pattern": "^[A-Z]$", "x-pattern-hint": "must be one capital."},
        "step": {"type": "number", "title": "Step", "multipleOf": 0.5, "exclusiveMinimum": 0},
    },
}
GOOD = {"amount": 1000, "months": 12}


@pytest.mark.parametrize(
    ("change", "pointer", "code", "detail"),
    [
        ({"amount": 0}, "/amount", "too_small", "Amount must be at least 1."),
        ({"amount": 2e6}, "/amount", "too_large", "Amount must be at most 1000000."),
        ({"amount": "x"}, "/amount", "wrong_type", "Amount must be a number."),
        ({"months": 1.5}, "/months", "wrong_type", "Months must be a whole number."),
        ({"months": True}, "/months", "wrong_type", "Months must be a whole number."),
        ({"months": None}, "/months", "wrong_type", "Months must be a whole number."),
        ({"mail": "nobody"}, "/mail", "bad_format", "E-mail must be an e-mail address."),
        ({"mail": "a@b"}, "/mail", "bad_format", "E-mail must be an e-mail address."),
        (
            {"site": "javascript:alert(1)"},
            "/site",
            "bad_format",
            "Site must be a web address that begins with http:// or https://.",
        ),
        ({"site": "ftp://a.b"}, "/site", "bad_format", None),
        ({"site": "http://"}, "/site", "bad_format", None),
        ({"site": "http://a b"}, "/site", "bad_format", None),
        ({"start": "2026-02-30"}, "/start", "bad_format", "Start must be a date such as 2026-03-31."),
        ({"kind": "other"}, "/kind", "not_in_enum", "Kind must be one of flat, annuity."),
        ({"extras": []}, "/extras", "too_few", "Extras must have at least 1 item."),
        ({"extras": [1, "x"]}, "/extras/1", "wrong_type", "Extra must be a whole number."),
        ({"code": "abc"}, "/code", "bad_pattern", None),
        ({"plate": "a"}, "/plate", "bad_pattern", "Plate must be one capital."),
        ({"code": "ABCD"}, "/code", "too_long", "Code may have at most 3 characters."),
        ({"step": 0.3}, "/step", "not_a_multiple", "Step must be a multiple of 0.5."),
        ({"step": 0}, "/step", "too_small", "Step must be more than 0."),
        ({"a/b~": 1}, "/a~1b~0", "unknown_field", None),
    ],
)
def test_error_points_at_the_field_and_speaks_to_people(change, pointer, code, detail):
    (error,) = compile_input_schema(LOAN).errors(GOOD | change)
    assert (error.pointer, error.code) == (pointer, code)
    if detail:
        assert error.detail == detail


def test_missing_field_is_pointed_at_itself():
    errors = compile_input_schema(LOAN).errors({}, at="/inputs")
    assert errors == (
        FieldError("/inputs/amount", "required", "Amount is required."),
        FieldError("/inputs/months", "required", "Months is required."),
    )


@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_inputs_that_are_no_object(value):
    assert [error.code for error in compile_input_schema(LOAN).errors(value)] == ["wrong_type"]


def test_inputs_get_their_types_and_defaults():
    accepted = compile_input_schema(LOAN).accept({"amount": 5, "months": 12.0, "extras": [1.0]})
    assert accepted == {"amount": 5.0, "months": 12, "extras": [1], "kind": "annuity"}
    assert [type(accepted[name]) for name in ("amount", "months")] == [float, int]
    assert type(accepted["extras"][0]) is int


def test_refused_inputs_say_why():
    with pytest.raises(InvalidActionInput) as refusal:
        compile_input_schema(LOAN).accept({"amount": 0, "months": 1})
    assert [error.pointer for error in refusal.value.errors] == ["/amount"]


def test_whole_number_beyond_64_bits():
    schema = compile_input_schema({"type": "object", "properties": {"n": {"type": "integer"}}})
    assert [error.code for error in schema.errors({"n": 2**63})] == ["too_large"]


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        (" 12 ", {"type": "integer"}, 12),
        ("1.5", {"type": "integer"}, "1.5"),
        ("1_0", {"type": "integer"}, "1_0"),
        ("1.5", {"type": "number"}, 1.5),
        ("nan", {"type": "number"}, "nan"),
        ("1e999", {"type": "number"}, "1e999"),
        ("", {"type": "number"}, None),
        ("on", {"type": "boolean"}, True),
        ("", {"type": "boolean"}, False),
        ("perhaps", {"type": "boolean"}, "perhaps"),
        (" a ", {"type": "string"}, "a"),
        (" a\r\n b", {"type": "string", "format": "text"}, " a\n b"),
        (["1", "x", ""], {"type": "array", "items": {"type": "integer"}}, [1, "x"]),
        ("1\n2", {"type": "array", "items": {"type": "integer"}}, [1, 2]),
    ],
)
def test_text_of_a_form(text, schema, value):
    result = coerce_text(text, schema)
    assert (result, type(result)) == (value, type(value))


def field(**keywords):
    return {"type": "object", "properties": {"a": keywords}}


@pytest.mark.parametrize(
    ("schema", "pointer", "code"),
    [
        ({}, "/type", "required"),
        (5, "", "wrong_type"),
        ({"type": "string"}, "/type", "not_in_enum"),
        ({"type": "object", "$ref": "http://127.0.0.1:9/x"}, "/$ref", "unknown_field"),
        (field(type="string", anyOf=[]), "/properties/a/anyOf", "unknown_field"),
        (field(type="string", **{"$ref": "file:///etc/passwd"}), "/properties/a/$ref", "unknown_field"),
        (field(type="string", pattern="("), "/properties/a/pattern", "bad_pattern"),
        (field(type="string", pattern="(?=a)"), "/properties/a/pattern", "bad_pattern"),
        (field(type="string", pattern="(a{999}){999}"), "/properties/a/pattern", "bad_pattern"),
        (field(type="string", pattern="a" * 501), "/properties/a/pattern", "too_long"),
        (field(type="null"), "/properties/a/type", "not_in_enum"),
        (field(type="array"), "/properties/a/items", "required"),
        (field(type="integer", format="date"), "/properties/a/format", "unknown_field"),
        (field(type="integer", enum=["x"]), "/properties/a/enum/0", "wrong_type"),
        (field(type="number", default="x"), "/properties/a/default", "wrong_type"),
        (field(type="number", minimum=3, maximum=1), "/properties/a/minimum", "contradiction"),
        ({"type": "object", "required": ["q"], "properties": {}}, "/required/0", "unknown_field"),
        ({"type": "object", "properties": {"a b": {"type": "string"}}}, "/properties/a b", "bad_name"),
    ],
)
def test_closed_schema_of_an_input(schema, pointer, code):
    errors = input_schema_errors(schema, at="/input")
    assert (errors[0].pointer, errors[0].code) == ("/input" + pointer, code)
    with pytest.raises(SchemaRefused):
        compile_input_schema(schema)


def test_input_schema_is_itself_a_schema():
    assert compile_schema(INPUT_SCHEMA).errors(LOAN) == ()
    assert input_schema_errors(LOAN) == ()


def deeply(schema, levels):
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return {"type": "object", "properties": {"a": schema}}


def test_depth_is_bounded():
    assert input_schema_errors(deeply({"type": "string"}, 6)) == ()
    assert [error.code for error in input_schema_errors(deeply({"type": "string"}, 7))] == ["too_deep"]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"properties": {"a": {"$ref": "https://example.com/x"}}},
    ],
)
def test_fault_66_reference_is_never_fetched(schema):
    started = time.perf_counter()
    with pytest.raises(SchemaRefused):
        compile_schema(schema)
    assert time.perf_counter() - started < 0.5


class _Served(BaseHTTPRequestHandler):
    """A schema that anyone could fetch; it remembers whether somebody did."""

    asked: ClassVar[list[str]] = []

    def do_GET(self):
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"type": "string"}')

    def log_message(self, *_):
        pass


def test_fault_66_reference_is_not_fetched_where_it_could_be(tmp_path):
    path = tmp_path / "schema.json"
    path.write_text('{"type": "string"}', encoding="utf-8")
    server = HTTPServer(("127.0.0.1", 0), _Served)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        for address in (f"http://127.0.0.1:{server.server_port}/schema.json", path.as_uri()):
            with pytest.raises(SchemaRefused):
                compile_schema({"properties": {"a": {"$ref": address}}})
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert _Served.asked == []


def doubling(levels):
    """Small to send; taken at its word it has 2**levels alternatives."""
    names = [f"a{number}" for number in range(levels)]
    defs = {name: {"anyOf": [{"$ref": f"#/$defs/{following}"}] * 2} for name, following in pairwise(names)}
    return {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/a0"}},
        "$defs": {**defs, names[-1]: {"type": "null"}},
    }


@pytest.mark.parametrize("schema", [doubling(40), deeply({"type": "string"}, 50_000)], ids=["anyOf", "depth"])
def test_fault_66_hostile_input_schema_is_refused_in_under_a_second(schema):
    started = time.perf_counter()
    assert input_schema_errors(schema)
    assert time.perf_counter() - started < 1.0


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*a){20}", "(?:a?){300}a{300}"])
def test_fault_25_catastrophic_pattern_is_linear(pattern):
    started = time.perf_counter()
    schema = compile_input_schema(field(type="string", pattern=pattern))
    schema.errors({"a": "a" * 50_000 + "!"})
    assert time.perf_counter() - started < 1.0


def test_pointer_escapes():
    assert pointer_to(["a/b", "~", 0]) == "/a~1b/~0/0"
