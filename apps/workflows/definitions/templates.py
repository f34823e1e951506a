"""Values with expressions in them: ``{"expr": "…"}`` is evaluated wherever it stands, everything else is literal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apps.common.errors import FieldError
from apps.common.expressions import ExpressionError, Program, Scope, compile_expression
from apps.common.schemas import pointer_to

Template = Any
"""A compiled template: a ``Program``, a ``Shape``, or a literal value."""


@dataclass(frozen=True, slots=True)
class ListShape:
    """A list with expressions somewhere inside."""

    items: tuple[Template, ...]


@dataclass(frozen=True, slots=True)
class MapShape:
    """A map with expressions somewhere inside."""

    members: tuple[tuple[str, Template], ...]


def is_expression(value: Any) -> bool:
    return isinstance(value, dict) and "expr" in value


def expressions_in(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Each expression object in ``value`` with the pointer to it."""
    if is_expression(value):
        yield at, value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from expressions_in(member, at + pointer_to([name]))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from expressions_in(item, f"{at}/{index}")


def compile_at(pointer: str, expression: Mapping[str, Any]) -> Program | FieldError:
    """The program of one expression object, or what is wrong with it."""
    source = expression["expr"]
    if len(expression) > 1:
        return FieldError(pointer, "bad_expression", "An expression object has the one member expr.")
    if not isinstance(source, str):
        return FieldError(f"{pointer}/expr", "wrong_type", "expr must be text.")
    try:
        return compile_expression(source)
    except ExpressionError as error:
        return FieldError(f"{pointer}/expr", error.code, error.detail)


def compile_template(value: Any) -> Template:
    """``value`` ready to be evaluated often. Its expressions were checked before; raises ``ExpressionError`` else."""
    if is_expression(value):
        return compile_expression(value["expr"])
    if isinstance(value, dict):
        members = tuple((name, compile_template(member)) for name, member in value.items())
        return MapShape(members) if any(_is_live(member) for _, member in members) else value
    if isinstance(value, list):
        items = tuple(compile_template(item) for item in value)
        return ListShape(items) if any(_is_live(item) for item in items) else value
    return value


def evaluate(template: Template, scope: Scope) -> Any:
    """The value, plain JSON. Raises ``EvaluationFailed``."""
    if isinstance(template, Program):
        return template.evaluate_in(scope)
    if isinstance(template, MapShape):
        return {name: evaluate(member, scope) for name, member in template.members}
    if isinstance(template, ListShape):
        return [evaluate(item, scope) for item in template.items]
    return template


def _is_live(template: Template) -> bool:
    return isinstance(template, Program | MapShape | ListShape)
