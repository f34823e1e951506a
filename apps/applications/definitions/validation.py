"""What is wrong with a definition: its form, its references, its expressions, its inputs.

Ends in well under a second whatever is given: size and depth are bounded before anything looks inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from django.conf import settings

from apps.applications.definitions.actions import iter_actions, workflow_reference
from apps.applications.definitions.markdown import find_scripts
from apps.applications.definitions.page_walk import iter_blocks, iter_expressions
from apps.applications.definitions.patterns import is_catastrophic
from apps.applications.definitions.schema import compiled_definition_schema
from apps.common.canonical_json import MAX_DEPTH, canonical_dumps
from apps.common.errors import FieldError
from apps.common.expressions import ExpressionRefused, Program, compile_expression
from apps.common.expressions.lexer import tokenize
from apps.common.schemas import input_schema_errors, pointer_to
from apps.workflows.definitions import validate_workflow

MAX_ERRORS = 50
MAX_EXPRESSIONS = 65_536
"""Characters of all expressions together; compiling takes about 8 microseconds for each."""
PAGE_VARIABLES = ("inputs", "result")

Workflows = Mapping[str, Mapping[str, Any]]
"""The workspace's workflows that a definition names: their definitions by slug."""


def validate_definition(definition: Any, *, workflows: Workflows) -> list[FieldError]:
    """Everything that keeps ``definition`` from being shown and run, at most ``MAX_ERRORS``; empty when it is valid.

    Pointers are RFC 6901 into the definition. ``workflows`` are those of the workspace that the definition names; one
    that is missing there is an error. Codes: those of ``apps.common.schemas``, ``apps.common.expressions`` and a
    workflow, and ``definition_too_large``, ``too_deep``, ``too_many_expressions``, ``unknown_action``,
    ``unknown_workflow``, ``unknown_result``, ``unknown_output``, ``unknown_variable``, ``script_refused``,
    ``slow_pattern``.
    """
    hostile = _shape_error(definition)
    if hostile is not None:
        return [hostile]
    found = compiled_definition_schema().errors(definition)
    if found:
        return list(found[:MAX_ERRORS])
    return list(islice(_meaning_errors(definition, workflows), MAX_ERRORS))


def _shape_error(definition: Any) -> FieldError | None:
    """Whether it is too deep, too large, or holds too much to compile; found without recursion."""
    waiting: list[tuple[Any, int]] = [(definition, 1)]
    expressions = 0
    while waiting:
        value, depth = waiting.pop()
        members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        if members and depth > MAX_DEPTH:
            return FieldError("", "too_deep", f"A definition may nest at most {MAX_DEPTH} deep.")
        if isinstance(value, dict) and isinstance(value.get("expr"), str):
            expressions += len(value["expr"])
        waiting.extend((member, depth + 1) for member in members)
    size = len(canonical_dumps(definition))
    if size > settings.DEFINITION_MAX_BYTES:
        return FieldError("", "definition_too_large", too_large(size))
    if expressions > MAX_EXPRESSIONS:
        sentence = (
            f"All expressions together may have at most {MAX_EXPRESSIONS:,} characters; these have {expressions:,}."
        )
        return FieldError("", "too_many_expressions", sentence)
    return None


def too_large(size: int | None) -> str:
    """The sentence about a definition of ``size`` bytes, if that is known."""
    this_one = f"this one has {size:,}" if size else "this one is larger"
    return f"A definition may have at most {settings.DEFINITION_MAX_BYTES:,} bytes of JSON; {this_one}."


def _meaning_errors(definition: Mapping[str, Any], workflows: Workflows) -> Iterator[FieldError]:
    page = definition["page"]
    yield from _action_errors(definition, workflows)
    yield from _form_errors(page, definition.get("actions", {}))
    yield from _script_errors(page)
    yield from _expression_errors(page, _declared_outputs(definition, workflows))


def _action_errors(definition: Mapping[str, Any], workflows: Workflows) -> Iterator[FieldError]:
    for name, action in iter_actions(definition):
        at = f"/actions/{name}"
        inputs = action.get("input", {"type": "object"})
        faulty = input_schema_errors(inputs, at=f"{at}/input")
        yield from faulty
        if not faulty:
            yield from _pattern_errors(inputs, f"{at}/input")
        ref = workflow_reference(action)
        if ref is None:
            known = None if faulty else inputs
            yield from validate_workflow(action["workflow"], at=f"{at}/workflow", inputs=known, with_input=False)
        elif ref not in workflows:
            yield FieldError(f"{at}/workflow/ref", "unknown_workflow", f"This workspace has no workflow {ref!r}.")


def _pattern_errors(schema: Mapping[str, Any], at: str) -> Iterator[FieldError]:
    if is_catastrophic(schema.get("pattern", "")):
        yield FieldError(
            f"{at}/pattern",
            "slow_pattern",
            "This pattern can take a browser forever: something of flexible length is repeated, with nothing between "
            "one round and the next. Write [a-z]+ instead of ([a-z]+)+.",
        )
    for name, member in schema.get("properties", {}).items():
        yield from _pattern_errors(member, f"{at}/properties{pointer_to([name])}")
    if "items" in schema:
        yield from _pattern_errors(schema["items"], f"{at}/items")


def _form_errors(page: Mapping[str, Any], actions: Mapping[str, Any]) -> Iterator[FieldError]:
    for placed in iter_blocks(page):
        action = placed.block.get("action")
        if action is not None and action not in actions:
            yield FieldError(
                f"/page{placed.pointer}/action", "unknown_action", f"There is no action {action!r}.{_choice(actions)}"
            )


def _script_errors(page: Mapping[str, Any]) -> Iterator[FieldError]:
    written = [placed for placed in iter_blocks(page) if placed.block["kind"] == "markdown"]
    for index, word in find_scripts(placed.block["text"] for placed in written):
        yield FieldError(
            f"/page{written[index].pointer}/text",
            "script_refused",
            f"Markdown may hold no script; this has {word}. To show it as text, put it between backticks.",
        )


def _declared_outputs(definition: Mapping[str, Any], workflows: Workflows) -> dict[str, frozenset[str] | None]:
    """What ``result.<action>`` holds, by action; None where that isn't known before it runs."""
    declared: dict[str, frozenset[str] | None] = {}
    for name, action in iter_actions(definition):
        ref = workflow_reference(action)
        workflow = action["workflow"] if ref is None else workflows.get(ref)
        outputs = {} if workflow is None else workflow.get("outputs", {})
        computed = workflow is None or set(outputs) == {"expr"}
        declared[name] = None if computed else frozenset(outputs)
    return declared


def _expression_errors(page: Mapping[str, Any], outputs: Mapping[str, frozenset[str] | None]) -> Iterator[FieldError]:
    for placed in iter_expressions(page):
        at = f"/page{placed.pointer}"
        try:
            program = compile_expression(placed.source)
        except ExpressionRefused as refusal:
            yield FieldError(at, refusal.code, refusal.detail)
            continue
        yield from _reference_errors(program, at, outputs)


def _reference_errors(program: Program, at: str, outputs: Mapping[str, frozenset[str] | None]) -> Iterator[FieldError]:
    for reference in program.references:
        if reference.name not in PAGE_VARIABLES:
            yield FieldError(at, "unknown_variable", f"A page knows inputs and result; {reference.name!r} is neither.")
    for action, output in _results_read(program.source):
        if action not in outputs:
            yield FieldError(at, "unknown_result", f"There is no action {action!r}.{_choice(outputs)}")
            continue
        declared = outputs[action]
        if output is not None and declared is not None and output not in declared:
            yield FieldError(
                at, "unknown_output", f"The action {action!r} has no output {output!r}.{_choice(declared)}"
            )


def _results_read(source: str) -> Iterator[tuple[str, str | None]]:
    """Each ``result.<action>`` or ``result.<action>.<output>`` that an expression reads by name."""
    tokenized = tokenize(source)
    for index in tokenized.roots():
        if tokenized.tokens[index].text != "result":
            continue
        action = tokenized.field_after(index)
        if action is not None:
            output = tokenized.field_after(index + 2)
            yield action.text, output.text if output else None


def _choice(names: Any) -> str:
    listed = ", ".join(sorted(names)[:12])
    return f" There is: {listed}." if listed else ""


def under(pointer: str, errors: list[FieldError]) -> list[FieldError]:
    """The errors with their pointers below a member of the request's body."""
    prefix = pointer_to([pointer]) if pointer else ""
    return [FieldError(prefix + error.pointer, error.code, error.detail) for error in errors]
