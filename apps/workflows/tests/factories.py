"""Workflows for tests."""

from __future__ import annotations

from itertools import count
from typing import Any

from django.utils import timezone

from apps.common.actors import SYSTEM
from apps.workflows.models import Workflow
from apps.workflows.services.workflows import create_workflow

_numbers = count(1)

DOUBLE: dict[str, Any] = {
    "input": {
        "type": "object",
        "required": ["n"],
        "properties": {"n": {"type": "number", "title": "Number", "maximum": 1_000}},
    },
    "steps": [
        {"id": "twice", "kind": "transform", "set": {"value": {"expr": "inputs.n * 2.0"}}},
        {"id": "share", "kind": "transform", "set": {"value": {"expr": "1.0 / inputs.n"}}, "on_error": "continue"},
        {"id": "list", "kind": "transform", "foreach": {"expr": "range(3)"}, "set": {"i": {"expr": "item"}}},
    ],
    "outputs": {"value": {"expr": "steps.twice.value"}, "rows": {"expr": "steps.list"}},
}
"""Doubles ``n``, divides by it, and counts to three."""

FAILING: dict[str, Any] = {"steps": [{"id": "bad", "kind": "transform", "set": {"x": {"expr": "1 / 0"}}}]}


def create_test_workflow(*, definition: Any = None, name: str = "", slug: str | None = None) -> Workflow:
    """A workflow of the entered workspace, made by the service."""
    number = next(_numbers)
    return create_workflow(
        name=name or f"Workflow {number}",
        slug=slug or f"workflow-{number}",
        definition=DOUBLE if definition is None else definition,
        actor=SYSTEM,
        now=timezone.now(),
    )
