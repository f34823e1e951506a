"""The grammar of the workflows inside a definition, as ``apps.workflows`` has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apps.common.errors import FieldError


def workflow_definitions() -> dict[str, Any]:
    """What the definition's schema needs under its root ``$defs`` for ``workflow`` to resolve."""
    return {
        "workflow": {
            "description": "Steps, and what of them the action gives back.",
            "type": "object",
            "required": ["steps"],
            "properties": {
                "steps": {"type": "array", "maxItems": 100, "items": {"type": "object", "required": ["id", "kind"]}},
                "outputs": {"type": "object", "maxProperties": 100},
            },
            "additionalProperties": False,
        }
    }


def workflow_errors(workflow: Mapping[str, Any], *, inputs: frozenset[str] | None, at: str) -> Iterator[FieldError]:
    """What keeps a well-formed workflow from running; pointers below ``at``."""
    return iter(())
