"""What is wrong with a workflow: structure first, then names, order and expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apps.common.errors import FieldError
from apps.common.expressions import Program, Reference
from apps.common.schemas import input_schema_errors

from . import templates
from .grammar import compiled_grammar
from .ordering import find_cycle
from .registry import kinds

MAX_EXPRESSIONS = 1_000
RESERVED_IDS = frozenset({"in", "true", "false", "null"})
"""Words of CEL; a step called so couldn't be named."""

_STEP_WORDS = ("id", "kind", "title", "depends_on", "concurrency", "retry", "timeout_seconds", "on_error")


def validate_workflow(
    definition: Any, *, at: str = "", inputs: Mapping[str, Any] | None = None, with_input: bool = True
) -> list[FieldError]:
    """Everything that is wrong with ``definition``, with pointers below ``at``; empty when it can run.

    ``inputs`` is the JSON Schema of the inputs, where someone else gives it (an action); else the workflow's own
    ``input`` counts. Where neither is known, any ``inputs.<field>`` may be read.
    """
    found = list(compiled_grammar(with_input=with_input).errors(definition, at=at))
    if found:
        return found
    own_input = definition.get("input")
    if own_input is not None:
        found += input_schema_errors(own_input, at=f"{at}/input")
    found += _name_errors(definition["steps"], at)
    found += _expression_errors(definition, at, inputs if inputs is not None else own_input)
    if not found:
        cycle = find_cycle(dependencies(definition))
        if cycle:
            first = next(index for index, step in enumerate(definition["steps"]) if step["id"] == cycle[0])
            detail = f"These steps wait for each other: {' → '.join(cycle)}."
            found.append(FieldError(f"{at}/steps/{first}", "cycle", detail))
    return found


def dependencies(definition: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """For each step, in the order of the definition, those that must end before: named, or read by its expressions."""
    result: dict[str, tuple[str, ...]] = {}
    for step in definition["steps"]:
        needed = dict.fromkeys(step.get("depends_on", ()))
        for _, expression in _expressions_of(step, ""):
            program = templates.compile_at("", expression)
            if isinstance(program, Program):
                needed |= dict.fromkeys(sorted(program.reads("steps") | program.reads("errors")))
        result[step["id"]] = tuple(needed)
    return result


def _name_errors(steps: list[Any], at: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    known = {step["id"] for step in steps}
    for index, step in enumerate(steps):
        here, name = f"{at}/steps/{index}", step["id"]
        if name in seen:
            yield FieldError(f"{here}/id", "duplicate_id", f"There is another step {name!r}. Ids must differ.")
        if name in RESERVED_IDS:
            yield FieldError(f"{here}/id", "reserved_id", f"{name!r} is a word of the expressions; choose another id.")
        seen.add(name)
        for position, other in enumerate(step.get("depends_on", ())):
            if other not in known:
                detail = f"There is no step {other[:60]!r} to depend on."
                yield FieldError(f"{here}/depends_on/{position}", "unknown_step", detail)


def _expressions_of(step: Mapping[str, Any], at: str) -> Iterator[tuple[str, Any]]:
    for name, value in step.items():
        if name not in _STEP_WORDS:
            yield from templates.expressions_in(value, f"{at}/{name}")


def _expression_errors(definition: Mapping[str, Any], at: str, inputs: Mapping[str, Any] | None) -> list[FieldError]:
    names = _KnownNames(definition, inputs)
    found: list[FieldError] = []
    for count, (pointer, expression, in_loop) in enumerate(_all_expressions(definition, at)):
        if count >= MAX_EXPRESSIONS:
            detail = f"A workflow may hold at most {MAX_EXPRESSIONS:,} expressions."
            return [FieldError(at, "too_many", detail)]
        program = templates.compile_at(pointer, expression)
        if isinstance(program, FieldError):
            found.append(program)
        else:
            found += names.errors(program, pointer, in_loop=in_loop)
    return found


def _all_expressions(definition: Mapping[str, Any], at: str) -> Iterator[tuple[str, Any, bool]]:
    """Every expression, its pointer, and whether ``item`` and ``index`` exist where it stands."""
    for index, step in enumerate(definition["steps"]):
        own_fields = kinds[step["kind"]].properties
        here = f"{at}/steps/{index}"
        for name, value in step.items():
            if name in _STEP_WORDS:
                continue
            in_loop = "foreach" in step and name in own_fields
            for pointer, expression in templates.expressions_in(value, f"{here}/{name}"):
                yield pointer, expression, in_loop
    for pointer, expression in templates.expressions_in(definition.get("outputs", {}), f"{at}/outputs"):
        yield pointer, expression, False


class _KnownNames:
    """The names that expressions of one workflow may read."""

    def __init__(self, definition: Mapping[str, Any], inputs: Mapping[str, Any] | None) -> None:
        self.steps = {step["id"] for step in definition["steps"]}
        self.inputs = None if inputs is None else set(inputs.get("properties", {}))

    def errors(self, program: Program, pointer: str, *, in_loop: bool) -> Iterator[FieldError]:
        for reference in program.references:
            problem = self._problem(reference, in_loop=in_loop)
            if problem:
                code, detail = problem
                yield FieldError(f"{pointer}/expr", code, f"{detail} ({reference.position}).")

    def _problem(self, reference: Reference, *, in_loop: bool) -> tuple[str, str] | None:
        match reference.name:
            case "steps" | "errors" if reference.field is None:
                return "unknown_reference", f"Name the step: {reference.name}.<id>"
            case "steps" | "errors" if reference.field not in self.steps:
                return "unknown_step", f"There is no step {reference.field!r}"
            case "inputs" if reference.field is not None and self.inputs is not None:
                if reference.field not in self.inputs:
                    return "unknown_input", f"There is no input {reference.field!r}"
            case "item" | "index" if not in_loop:
                return "unknown_reference", f"{reference.name} exists only in the fields of a step with foreach"
            case "steps" | "errors" | "inputs" | "item" | "index":
                return None
            case name:
                return "unknown_reference", f"Nothing is called {name[:60]!r}; there are inputs, steps and errors"
        return None
