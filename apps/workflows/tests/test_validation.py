"""What is wrong with a workflow is said where it is wrong."""

from __future__ import annotations

import time

import pytest

from apps.workflows.definitions import compile_workflow, validate_workflow
from apps.workflows.errors import InvalidWorkflow


def transform(name, **more):
    return {"id": name, "kind": "transform", "set": {}, **more}


def expr(source):
    return {"expr": source}


def found(definition, **more):
    return [(error.pointer, error.code) for error in validate_workflow(definition, **more)]


@pytest.mark.parametrize("definition", [None, [], "x", 5, {}])
def test_not_a_workflow(definition):
    assert found(definition)


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ({"id": "a"}, ("/kind", "required")),
        ({"id": "a", "kind": "magic"}, ("/kind", "not_in_enum")),
        ({"id": "a", "kind": "transform"}, ("/set", "required")),
        (transform("A"), ("/id", "bad_pattern")),
        (transform("a-b"), ("/id", "bad_pattern")),
        (transform("null"), ("/id", "reserved_id")),
        (transform("a", colour=1), ("/colour", "unknown_field")),
        (transform("a", retry={"attempts": 0}), ("/retry/attempts", "too_small")),
        (transform("a", timeout_seconds=0), ("/timeout_seconds", "too_small")),
        (transform("a", on_error="ignore"), ("/on_error", "not_in_enum")),
        (transform("a", when="yes"), ("/when", "wrong_type")),
        (transform("a", foreach=3), ("/foreach", "wrong_type")),
        (transform("a", depends_on=["zz"]), ("/depends_on/0", "unknown_step")),
        (transform("a", when=expr("1 +")), ("/when/expr", "expression_syntax")),
        (transform("a", set={"x": [{"y": expr("nope(1)")}]}), ("/set/x/0/y/expr", "expression_unknown_function")),
        (transform("a", set={"x": {"expr": "1", "also": 2}}), ("/set/x", "bad_expression")),
        (transform("a", set={"x": {"expr": 1}}), ("/set/x/expr", "wrong_type")),
        (transform("a", set={"x/y": expr("steps.zz.x")}), ("/set/x~1y/expr", "unknown_step")),
        (transform("a", set={"x": expr("errors.zz")}), ("/set/x/expr", "unknown_step")),
        (transform("a", set={"x": expr("steps['a']")}), ("/set/x/expr", "unknown_reference")),
        (transform("a", set={"x": expr("result.x")}), ("/set/x/expr", "unknown_reference")),
        (transform("a", set={"x": expr("item")}), ("/set/x/expr", "unknown_reference")),
        (transform("a", foreach=expr("[index]")), ("/foreach/expr", "unknown_reference")),
        (transform("a", foreach=[1], when=expr("item > 1")), ("/when/expr", "unknown_reference")),
    ],
)
def test_step_at_fault(step, error):
    assert found({"steps": [transform("first"), step]}) == [("/steps/1" + error[0], error[1])]


def test_ids_differ():
    assert found({"steps": [transform("a"), transform("a")]}) == [("/steps/1/id", "duplicate_id")]


def test_outputs_are_checked():
    definition = {"steps": [transform("a")], "outputs": {"x": [expr("steps.b")]}}
    assert found(definition, at="/workflow") == [("/workflow/outputs/x/0/expr", "unknown_step")]


def test_inputs_are_known_when_a_schema_says_them():
    definition = {"steps": [transform("a", set={"x": expr("inputs.n + inputs.m")})]}
    assert found(definition) == []
    schema = {"type": "object", "properties": {"n": {"type": "number"}}}
    assert found(definition, inputs=schema) == [("/steps/0/set/x/expr", "unknown_input")]
    assert found({**definition, "input": schema}) == [("/steps/0/set/x/expr", "unknown_input")]


def test_own_input_is_a_closed_schema():
    definition = {"input": {"type": "object", "properties": {"n": {"type": "string", "pattern": "("}}}, "steps": []}
    assert found(definition) == [("/input/properties/n/pattern", "bad_pattern")]
    assert found(definition, with_input=False) == [("/input", "unknown_field")]


def test_fault_25_cycle_is_named():
    steps = [
        transform("start"),
        transform("a", depends_on=["c", "start"]),
        transform("b", set={"x": expr("steps.a")}),
        transform("c", when=expr("has(steps.b)")),
    ]
    (error,) = validate_workflow({"steps": steps})
    assert (error.pointer, error.code) == ("/steps/1", "cycle")
    assert "a → c → b → a" in error.detail


def test_fault_25_step_that_reads_itself():
    (error,) = validate_workflow({"steps": [transform("a", set={"x": expr("steps.a")})]})
    assert (error.code, "a → a" in error.detail) == ("cycle", True)


HOSTILE = {
    "10,000 steps": {"steps": [transform(f"s{number}") for number in range(10_000)]},
    "100 steps that all wait for all others": {
        "steps": [transform(f"s{n}", depends_on=[f"s{m}" for m in range(100) if m != n]) for n in range(100)]
    },
    "5,000 long expressions": {"steps": [transform("a", set={f"x{n}": expr("1" + "+1" * 240) for n in range(5_000)})]},
    "5 MB of text": {"steps": [transform("a", set={"x": "y" * 5_000_000})], "outputs": {"z": expr("nobody")}},
    "a 28 kB expression": {"steps": [transform("a", set={"x": expr("1" + "+1" * 14_000)})]},
    "100,000 brackets": {"steps": [transform("a", set={"x": expr("(" * 100_000)})]},
    "a $ref": {"$ref": "http://127.0.0.1:9/x", "steps": []},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_fault_25_and_66_hostile_workflow_is_refused_in_under_a_second(name):
    started = time.perf_counter()
    assert validate_workflow(HOSTILE[name])
    assert time.perf_counter() - started < 1.0


def test_compile_raises_with_everything_that_is_wrong():
    with pytest.raises(InvalidWorkflow) as refusal:
        compile_workflow({"steps": [transform("a"), transform("a", depends_on=["b"])]})
    assert [error.code for error in refusal.value.errors] == ["duplicate_id", "unknown_step"]
