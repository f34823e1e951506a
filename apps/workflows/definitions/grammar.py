"""The grammar of a workflow as JSON Schema, made from the kinds of steps that are registered.

``workflow_schema()`` refers to ``workflow_definitions()``, which whoever embeds it puts under its root ``$defs``. Steps
are discriminated by ``if kind/then``, so that an error points at the field at fault inside its step.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from apps.common.schemas import INPUT_SCHEMA, Schema, compile_schema

from .registry import kinds

MAX_STEPS = 100
MAX_ITEMS = 10_000
"""Items of a ``foreach``."""
MAX_ATTEMPTS = 10
MAX_BACKOFF_SECONDS = 3_600
MAX_TIMEOUT_SECONDS = 3_600
STEP_ID = r"^[a-z][a-z0-9_]{0,59}$"

_EXPRESSION = {
    "type": "object",
    "title": "Expression",
    "description": "A CEL expression over inputs, steps.<id>, errors.<id>, and item and index inside a foreach.",
    "required": ["expr"],
    "properties": {"expr": {"type": "string", "minLength": 1, "maxLength": 4_096}},
    "additionalProperties": False,
}


def _expression_or(other: dict[str, Any]) -> dict[str, Any]:
    """An expression or a literal, told apart by type so that an error points inside the one that was meant."""
    return {"if": {"type": "object"}, "then": {"$ref": "#/$defs/expression"}, "else": other}


_COMMON: dict[str, dict[str, Any]] = {
    "id": {
        "type": "string",
        "pattern": STEP_ID,
        "x-pattern-hint": "must begin with a small letter, then small letters, digits and _, 60 at most",
        "description": "How expressions call it: steps.<id>.",
    },
    "kind": {"type": "string"},
    "title": {"type": "string", "maxLength": 200},
    "depends_on": {
        "type": "array",
        "items": {"type": "string"},
        "maxItems": MAX_STEPS,
        "uniqueItems": True,
        "description": "Steps that must have ended before; those that expressions read are added by themselves.",
    },
    "when": {**_expression_or({"type": "boolean"}), "description": "Evaluated once, before foreach; false skips."},
    "foreach": {
        **_expression_or({"type": "array", "maxItems": MAX_ITEMS}),
        "description": "A list; the step runs once for each item, and its value is the list of the values.",
    },
    "concurrency": {"type": "integer", "minimum": 1, "maximum": 50, "description": "Items at once, in workers."},
    "retry": {
        "type": "object",
        "required": ["attempts"],
        "properties": {
            "attempts": {"type": "integer", "minimum": 1, "maximum": MAX_ATTEMPTS},
            "backoff_seconds": {"type": "number", "minimum": 0, "maximum": MAX_BACKOFF_SECONDS},
        },
        "additionalProperties": False,
    },
    "timeout_seconds": {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_TIMEOUT_SECONDS},
    "on_error": {"enum": ["fail", "continue"]},
}


def workflow_schema(*, with_input: bool = True) -> dict[str, Any]:
    """A workflow. One that stands by itself may say what ``input`` it takes; inside an action, the action says it."""
    properties: dict[str, Any] = {
        "steps": {"type": "array", "maxItems": MAX_STEPS, "items": {"$ref": "#/$defs/step"}},
        "outputs": {"type": "object", "description": "What the run gives; expressions anywhere inside."},
    }
    if with_input:
        properties["input"] = {"$ref": "#/$defs/input"}
    return {"type": "object", "required": ["steps"], "properties": properties, "additionalProperties": False}


def workflow_definitions() -> dict[str, Any]:
    """What ``workflow_schema`` refers to, for the root ``$defs`` of the schema that embeds it."""
    return {
        **INPUT_SCHEMA["$defs"],
        "expression": _EXPRESSION,
        "step": {
            "type": "object",
            "title": "Step",
            "required": ["id", "kind"],
            "properties": {"kind": {"enum": [kind.name for kind in kinds.all()]}},
            "allOf": [
                {
                    "if": {"properties": {"kind": {"const": kind.name}}, "required": ["kind"]},
                    "then": {
                        "description": kind.purpose,
                        "properties": {**_COMMON, **kind.properties},
                        "required": list(kind.required),
                        "additionalProperties": False,
                    },
                }
                for kind in kinds.all()
            ],
        },
    }


def compiled_grammar(*, with_input: bool) -> Schema:
    """The validator of a workflow with the kinds of this moment."""
    return _compiled(with_input, kinds.generation)


@lru_cache(maxsize=4)
def _compiled(with_input: bool, generation: int) -> Schema:
    return compile_schema({**workflow_schema(with_input=with_input), "$defs": workflow_definitions()})
