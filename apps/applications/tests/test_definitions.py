"""What definitions are refused for, how it is said, and how long it takes."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from apps.applications.definitions.actions import action_workflow, pinned, referenced_workflows
from apps.applications.definitions.blank import blank_definition
from apps.applications.definitions.blocks import BLOCK_KINDS
from apps.applications.definitions.exposure import exposure_of
from apps.applications.definitions.schema import definition_schema
from apps.applications.definitions.validation import validate_definition
from apps.applications.tests.factories import make_definition
from apps.common.schemas import compile_schema
from config.env import ROOT

Damage = Callable[[dict[str, Any]], Any]


def errors_after(damage: Damage, **workflows: Any) -> list[tuple[str, str]]:
    definition = make_definition()
    replaced = damage(definition)
    found = validate_definition(definition if replaced is None else replaced, workflows=workflows)
    return [(error.pointer, error.code) for error in found]


def steps_of(definition: dict[str, Any]) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = definition["actions"]["double"]["workflow"]["steps"]
    return steps


def test_the_blank_definition_and_every_blocks_example_are_valid() -> None:
    assert validate_definition(blank_definition(), workflows={}) == []
    for kind in BLOCK_KINDS.values():
        definition = make_definition()
        definition["page"]["blocks"] = [dict(kind.example)]
        codes = {error.code for error in validate_definition(definition, workflows={})}
        assert codes <= {"unknown_action", "unknown_result"}, kind.name


def test_the_published_schema_is_a_schema_that_a_stock_validator_takes_and_agrees_with() -> None:
    schema = compile_schema(definition_schema())
    assert definition_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema.is_valid(make_definition())
    assert not schema.is_valid({"schema_version": 1})


@pytest.mark.parametrize(
    ("damage", "pointer", "code"),
    [
        (lambda d: d.pop("page"), "/page", "required"),
        (lambda d: d.update(schema_version=2), "/schema_version", "not_in_enum"),
        (lambda d: d.update(pages=1), "/pages", "unknown_field"),
        (lambda d: d["page"]["blocks"][0].update(kind="video"), "/page/blocks/0/kind", "not_in_enum"),
        (lambda d: d["page"]["blocks"][1].update(acton="x"), "/page/blocks/1/acton", "unknown_field"),
        (lambda d: d["page"]["blocks"][2].update(value={"expr": 5}), "/page/blocks/2/value/expr", "wrong_type"),
        (lambda d: d["page"]["blocks"][1].update(action="triple"), "/page/blocks/1/action", "unknown_action"),
        (
            lambda d: d["page"]["blocks"][2].update(value={"expr": "result.triple.x"}),
            "/page/blocks/2/value/expr",
            "unknown_result",
        ),
        (
            lambda d: d["page"]["blocks"][2].update(value={"expr": "result.double.thrice"}),
            "/page/blocks/2/value/expr",
            "unknown_output",
        ),
        (
            lambda d: d["page"]["blocks"][2].update(value={"expr": "steps.calc"}),
            "/page/blocks/2/value/expr",
            "unknown_variable",
        ),
        (
            lambda d: d["page"]["blocks"][2].update(value={"expr": "1 +"}),
            "/page/blocks/2/value/expr",
            "expression_syntax",
        ),
        (
            lambda d: d["actions"]["double"].update(workflow={"ref": "nowhere"}),
            "/actions/double/workflow/ref",
            "unknown_workflow",
        ),
        (
            lambda d: steps_of(d)[0]["set"].update(x={"expr": "inputs.m"}),
            "/actions/double/workflow/steps/0/set/x/expr",
            "unknown_input",
        ),
        (lambda d: [1, 2], "", "wrong_type"),
        (lambda d: "text", "", "wrong_type"),
    ],
)
def test_what_is_wrong_is_pointed_at(damage: Damage, pointer: str, code: str) -> None:
    assert (pointer, code) in errors_after(damage)


def test_every_error_is_a_sentence() -> None:
    definition = make_definition()
    definition["page"]["blocks"][1]["action"] = "triple"
    (error,) = validate_definition(definition, workflows={})
    assert error.detail == "There is no action 'triple'. There is: double."


def _nested(depth: int) -> Any:
    value: Any = {"kind": "divider"}
    for _ in range(depth):
        value = {"kind": "section", "blocks": [value]}
    return value


def _cycle(definition: dict[str, Any]) -> None:
    steps_of(definition)[0]["depends_on"] = ["again"]
    steps_of(definition).append({"id": "again", "kind": "transform", "depends_on": ["calc"], "set": {}})


def _pattern(pattern: str) -> Damage:
    def damage(definition: dict[str, Any]) -> None:
        fields = definition["actions"]["double"]["input"]["properties"]
        fields["code"] = {"type": "string", "pattern": pattern}

    return damage


def _markdown(text: str) -> Damage:
    return lambda definition: definition["page"]["blocks"][0].update(text=text)


_CODE = "/actions/double/input/properties/code/pattern"
_TEXT = "/page/blocks/0/text"
_HOSTILE: dict[str, tuple[Damage, str, str]] = {
    "cycle": (_cycle, "/actions/double/workflow/steps/0", "cycle"),
    "5 MB": (_markdown("x" * 5_000_000), "", "definition_too_large"),
    "300 kB": (_markdown("x" * 300_000), "", "definition_too_large"),
    "deep": (lambda d: d["page"].update(blocks=[_nested(50_000)]), "", "too_deep"),
    "sections in sections": (
        lambda d: d["page"].update(blocks=[_nested(5)]),
        "/page/blocks/0/blocks/0/kind",
        "not_in_enum",
    ),
    "script": (_markdown("Hi <script>alert(1)</script>"), _TEXT, "script_refused"),
    "handler": (_markdown("<img src=x onerror=alert(1)>"), _TEXT, "script_refused"),
    "script link": (_markdown("[x](javascript:alert(1))"), _TEXT, "script_refused"),
    "hidden script link": (_markdown("[x](java&#115;cript:alert(1))"), _TEXT, "script_refused"),
    "brackets before script": (_markdown("[" * 60_000 + "<script>"), _TEXT, "script_refused"),
    "catastrophic regex": (_pattern("^(a+)+$"), _CODE, "slow_pattern"),
    "doubling regex": (_pattern("((a{1,999}){1,999}){1,999}"), _CODE, "bad_pattern"),
    "28 kB expression": (
        lambda d: steps_of(d)[0]["set"].update(x={"expr": "1+" * 14_000 + "1"}),
        "/actions/double/workflow/steps/0/set/x/expr",
        "expression_too_long",
    ),
    "200 kB of expressions": (
        lambda d: d["page"]["blocks"].extend(
            {"kind": "text", "text": {"expr": f"{number}" + "+1" * 500}} for number in range(190)
        ),
        "",
        "too_many_expressions",
    ),
    "macro": (
        lambda d: d["page"]["blocks"][2].update(value={"expr": "[1].map(x, x)"}),
        "/page/blocks/2/value/expr",
        "expression_not_supported",
    ),
    "reference to an address": (
        lambda d: d["actions"]["double"].update(input={"type": "object", "$ref": "https://example.org/s.json"}),
        "/actions/double/input/$ref",
        "unknown_field",
    ),
    "reference to a file": (
        lambda d: d["actions"]["double"].update(input={"type": "object", "$ref": "file:///etc/passwd"}),
        "/actions/double/input/$ref",
        "unknown_field",
    ),
    "doubling anyOf": (
        lambda d: d["actions"]["double"].update(input={"type": "object", "anyOf": [{"anyOf": [{}] * 9}] * 9}),
        "/actions/double/input/anyOf",
        "unknown_field",
    ),
}


@pytest.mark.parametrize("name", _HOSTILE)
def test_fault_25_hostile_definition_is_refused_in_under_a_second(name: str) -> None:
    damage, pointer, code = _HOSTILE[name]
    definition = make_definition()
    damage(definition)
    began = time.perf_counter()
    found = validate_definition(definition, workflows={})
    assert time.perf_counter() - began < 1
    assert (pointer, code) in [(error.pointer, error.code) for error in found]


def test_script_that_is_shown_as_code_is_text() -> None:
    assert errors_after(_markdown("Write `<script>` so:\n\n```\n<script>alert(1)</script>\n```\n")) == []


@pytest.mark.parametrize(
    "pattern", ["(a|aa)+", "(.*,)+x", "([a-z]+)*", "(a|a)*b", r"(\d{1,3}\.?)+", r"(\w+\s?)*", "(" * 13 + ")" * 13]
)
def test_patterns_that_explode_are_refused(pattern: str) -> None:
    assert errors_after(_pattern(pattern)) == [(_CODE, "slow_pattern")]


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$",
        r"^([a-z]+\.)+[a-z]{2,}$",
        r"^(?:\d{1,3}\.){3}\d{1,3}$",
        r"^[a-z]+( [a-z]+)*$",
        r"^(foo|bar)+$",
        r"^\+?[0-9 ()-]{7,20}$",
    ],
)
def test_everyday_patterns_are_taken(pattern: str) -> None:
    assert errors_after(_pattern(pattern)) == []


def test_a_named_workflow_is_pinned_with_its_input() -> None:
    workflow = {
        "input": {"type": "object", "properties": {"n": {"type": "number"}}},
        "steps": [],
        "outputs": {"twice": 4},
    }
    draft = copy.deepcopy(make_definition())
    draft["actions"]["double"] = {"workflow": {"ref": "twice"}}
    assert referenced_workflows(draft) == ["twice"]
    assert validate_definition(draft, workflows={"twice": workflow}) == []

    version = pinned(draft, {"twice": {"revision": 3, "definition": workflow}})

    assert validate_definition(version, workflows={"twice": workflow}) == []
    assert version["actions"]["double"]["input"] == workflow["input"]
    assert action_workflow(version, "double") == {"steps": [], "outputs": {"twice": 4}}


def test_an_output_that_the_named_workflow_lacks_is_pointed_at() -> None:
    found = errors_after(
        lambda d: d["actions"].update(double={"workflow": {"ref": "twice"}}), twice={"steps": [], "outputs": {}}
    )
    assert found == [("/page/blocks/2/value/expr", "unknown_output")]


def test_exposure_names_what_visitors_read_and_run() -> None:
    exposure = exposure_of(make_definition())
    assert exposure.executable == {"double"}
    assert {"page: Doubler", "result: double.twice", "block: form “double”"} <= exposure.readable


def test_at_most_fifty_errors_are_told() -> None:
    definition = make_definition()
    definition["page"]["blocks"] = [{"kind": "form", "action": f"none_{n}"} for n in range(150)]
    assert len(validate_definition(definition, workflows={})) == 50
    assert json.dumps(definition)


def test_the_documentation_names_every_block_and_member_and_its_example_is_valid() -> None:
    text = (ROOT / "docs/definition.md").read_text()
    for kind in BLOCK_KINDS.values():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{kind.name}` |")]
        assert all(f"`{name}`" in row for name in kind.properties), kind.name
        assert all(f"**`{name}`**" in row for name in kind.required), kind.name
    example = json.loads(text.split("```json")[1].split("```")[0])
    assert validate_definition(example, workflows={}) == []
