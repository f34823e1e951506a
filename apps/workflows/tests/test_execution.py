"""What a run computes, and how it ends when something goes wrong."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from apps.workflows.definitions import StepKind, compile_workflow, kinds
from apps.workflows.errors import StepFailed
from apps.workflows.services.execution import execute
from apps.workflows.states import RunStatus, StepStatus

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


def transform(name, values=None, **more):
    return {"id": name, "kind": "transform", "set": values or {}, **more}


def expr(source):
    return {"expr": source}


def run(steps, outputs=None, inputs=None, **more):
    plan = compile_workflow({"steps": steps, "outputs": outputs or {}})
    return execute(plan, inputs or {}, now=NOW, **{"budget": 5.0, **more})


@pytest.fixture
def flaky(monkeypatch):
    """A kind of step that fails as often as its field ``failures`` says, and then gives the number of its calls."""
    calls = []

    def call(step):
        calls.append(step)
        if len(calls) <= step.fields["failures"]:
            raise StepFailed("Not yet.", code="not_yet", retryable=True)
        return len(calls)

    kind = StepKind("flaky", "Fails at first.", {"failures": {"type": "integer"}}, call, required=("failures",))
    monkeypatch.setattr(kinds, "_kinds", {name.name: name for name in [*kinds.all(), kind]})
    monkeypatch.setattr(kinds, "generation", kinds.generation + 1_000)
    return calls


def test_annuity_is_computed_step_by_step():
    steps = [
        transform(
            "rows",
            {
                "month": expr("item"),
                "balance": expr(
                    "inputs.amount * pow(1.0 + steps.base.r, double(item)) - steps.base.payment"
                    " * (pow(1.0 + steps.base.r, double(item)) - 1.0) / steps.base.r"
                ),
            },
            foreach=expr("range(1, inputs.months + 1)"),
        ),
        transform(
            "base",
            {
                "r": expr("inputs.rate / 1200.0"),
                "payment": expr(
                    "inputs.amount * (inputs.rate / 1200.0)"
                    " / (1.0 - pow(1.0 + inputs.rate / 1200.0, -double(inputs.months)))"
                ),
            },
        ),
    ]
    outputs = {"payment": expr("round(steps.base.payment, 2)"), "rows": expr("steps.rows")}
    result = run(steps, outputs, {"amount": 200_000.0, "rate": 6.0, "months": 360})
    assert result.succeeded
    assert result.outputs["payment"] == 1199.10  # the textbook 30-year loan of 200,000 at 6 %
    assert len(result.outputs["rows"]) == 360
    assert abs(result.outputs["rows"][-1]["balance"]) < 1e-6
    assert [step.step for step in result.steps] == ["base", "rows"]


def test_only_expr_objects_are_evaluated():
    result = run([transform("a", {"x": ["1 + 1", {"y": expr("1 + 1")}], "z": "{{ 7 * 7 }}"})], {"a": expr("steps.a")})
    assert result.outputs == {"a": {"x": ["1 + 1", {"y": 2}], "z": "{{ 7 * 7 }}"}}


def test_fault_28_input_that_looks_like_an_expression_is_text():
    hostile = {"expr": '1 + 1"), now()'}
    result = run([transform("a", {"x": expr("inputs.x")})], {"x": expr("steps.a.x")}, {"x": hostile})
    assert result.outputs == {"x": hostile}


def test_when_skips_and_gives_null():
    steps = [transform("a", when=expr("inputs.n > 1")), transform("b", {"was": expr("steps.a == null")})]
    result = run(steps, {"b": expr("steps.b.was")}, {"n": 1})
    assert result.outputs == {"b": True}
    assert [step.status for step in result.steps] == [StepStatus.SKIPPED, StepStatus.SUCCEEDED]


def test_foreach_gives_the_list_of_values():
    steps = [transform("a", {"v": expr("item * 2 + index")}, foreach=[1, 2, 3])]
    assert run(steps, {"a": expr("steps.a")}).outputs == {"a": [{"v": 2}, {"v": 5}, {"v": 8}]}
    assert run([transform("a", foreach=[])], {"a": expr("steps.a")}).outputs == {"a": []}


def test_failure_names_the_step_and_the_item():
    steps = [transform("ok"), transform("a", {"v": expr("1 / item")}, foreach=[1, 0], depends_on=["ok"])]
    result = run(steps)
    assert (result.status, result.outputs) == (RunStatus.FAILED, None)
    assert (result.error.code, result.error.step) == ("division_by_zero", "a")
    assert result.error.detail.startswith("At item 1: ")
    assert [step.status for step in result.steps] == [StepStatus.SUCCEEDED, StepStatus.FAILED]


def test_on_error_continue_gives_null_and_says_why():
    steps = [
        transform("a", {"v": expr("1 / 0")}, on_error="continue"),
        transform("b"),
        transform("c", {"has": expr("has(errors.a)"), "none": expr("has(errors.b) || errors.b != null")}),
    ]
    outputs = {"a": expr("steps.a"), "why": expr("errors.a.code"), "c": expr("steps.c")}
    result = run(steps, outputs)
    assert result.succeeded
    assert result.outputs == {"a": None, "why": "division_by_zero", "c": {"has": True, "none": False}}


def test_step_is_tried_again_with_growing_pauses(flaky):
    waits = []
    step = {"id": "a", "kind": "flaky", "failures": 2, "retry": {"attempts": 4, "backoff_seconds": 0.5}}
    result = run([step], {"a": expr("steps.a")}, wait=waits.append)
    assert result.outputs == {"a": 3}
    assert waits == [0.5, 1.0]
    assert [(step.attempt, step.status) for step in result.steps] == [
        (1, StepStatus.FAILED),
        (2, StepStatus.FAILED),
        (3, StepStatus.SUCCEEDED),
    ]
    assert result.steps[0].error.code == "not_yet"


def test_attempts_end(flaky):
    step = {"id": "a", "kind": "flaky", "failures": 9, "retry": {"attempts": 3}}
    assert run([step]).error.code == "not_yet"
    assert len(flaky) == 3


def test_what_would_fail_again_is_not_tried_again():
    result = run([transform("a", {"v": expr("1 / 0")}, retry={"attempts": 5})])
    assert len(result.steps) == 1


def test_no_pause_beyond_the_budget(flaky):
    step = {"id": "a", "kind": "flaky", "failures": 1, "retry": {"attempts": 2, "backoff_seconds": 60}}
    started = time.perf_counter()
    assert run([step]).error.code == "not_yet"
    assert time.perf_counter() - started < 1.0


BUSY = transform("busy", {"v": expr("sum(range(10000))")}, foreach=expr("range(10000)"))


def test_run_that_takes_too_long_ends_with_that():
    started = time.perf_counter()
    result = run([{**BUSY, "on_error": "continue"}, transform("b", depends_on=["busy"])], budget=0.2)
    assert time.perf_counter() - started < 1.0
    assert (result.status, result.error.code, result.error.step) == (RunStatus.FAILED, "run_too_long", "busy")


def test_loop_of_short_steps_ends_in_time_too():
    result = run([transform("a", {"v": expr("item")}, foreach=expr("range(10000)"))], budget=0.005)
    assert (result.status, result.error.code) == (RunStatus.FAILED, "run_too_long")


def test_step_that_takes_too_long_may_be_survived():
    steps = [{**BUSY, "timeout_seconds": 0.05, "on_error": "continue"}]
    result = run(steps, {"why": expr("errors.busy.code")})
    assert result.outputs == {"why": "step_timed_out"}


@pytest.mark.parametrize(
    ("steps", "outputs", "inputs", "code"),
    [
        ([transform("a", when=expr("1"))], {}, {}, "wrong_type"),
        ([transform("a", foreach=expr("{'x': 1}"))], {}, {}, "wrong_type"),
        ([], {"x": expr("inputs.missing")}, {}, "missing_field"),
        ([], expr("[1]"), {}, "wrong_type"),
        ([], {"x": expr("1.0 / 0.0")}, {}, "not_a_number"),
        ([], {}, {"x": "y" * 70_000}, "value_too_large"),
        ([transform("a", {"v": expr("inputs.t + inputs.t")})], {}, {"t": "y" * 40_000}, "value_too_large"),
        (
            [transform("a", {"v": expr("inputs.t")}, foreach=expr("range(100)"))],
            {},
            {"t": "y" * 60_000},
            "value_too_large",
        ),
    ],
)
def test_other_failures_have_a_code(steps, outputs, inputs, code):
    result = run(steps, outputs, inputs)
    assert (result.status, result.error.code) == (RunStatus.FAILED, code)


def test_steps_together_are_bounded():
    steps = [transform(f"s{n}", {"v": expr("inputs.t")}, foreach=expr("range(15)")) for n in range(12)]
    result = run(steps, inputs={"t": "y" * 60_000})
    assert (result.error.code, result.error.step) == ("value_too_large", "s9")


def test_expressions_see_the_time_of_the_run():
    result = run([], {"day": expr("date(now())")})
    assert result.outputs == {"day": "2026-03-31"}
    assert result.started_at == NOW
    assert result.finished_at >= NOW
