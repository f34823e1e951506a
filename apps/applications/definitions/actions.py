"""The actions of a definition, and the workflows behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def workflow_reference(action: Mapping[str, Any]) -> str | None:
    """The slug of the workspace's workflow that an action names; None when its steps stand in the definition."""
    ref = action["workflow"].get("ref")
    return None if ref is None else str(ref)


def referenced_workflows(definition: Mapping[str, Any]) -> list[str]:
    """The slugs of all workflows that the actions name, each once."""
    found = (workflow_reference(action) for _, action in iter_actions(definition))
    return list(dict.fromkeys(ref for ref in found if ref is not None))


def iter_actions(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each action with its name."""
    yield from definition.get("actions", {}).items()


def action_workflow(definition: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The workflow (``steps``, ``outputs``) that the action ``name`` of a version runs: its own, or the pinned one.

    Raises KeyError when there is no such action, or when a reference was never pinned (a draft's).
    """
    action = definition["actions"][name]
    ref = workflow_reference(action)
    workflow: Mapping[str, Any] = action["workflow"] if ref is None else definition["workflows"][ref]["definition"]
    return workflow


def without_pins(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition as a draft keeps it: without the workflows that a version pinned."""
    return {name: value for name, value in definition.items() if name != "workflows"}
