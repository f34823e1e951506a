"""The actions of a definition, and the workflows behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MAX_REFERENCES = 100
"""Workflows looked up for one definition; more actions than that are refused anyway."""


def workflow_reference(action: Mapping[str, Any]) -> str | None:
    """The slug of the workspace's workflow that an action names; None when its steps stand in the definition."""
    ref = action["workflow"].get("ref")
    return None if ref is None else str(ref)


def referenced_workflows(definition: Any) -> list[str]:
    """The slugs of all workflows that the actions name, each once; of anything, also what isn't valid yet."""
    actions = definition.get("actions") if isinstance(definition, Mapping) else None
    workflows = (
        (action.get("workflow") for action in actions.values() if isinstance(action, Mapping))
        if isinstance(actions, Mapping)
        else ()
    )
    refs = (workflow.get("ref") for workflow in workflows if isinstance(workflow, Mapping))
    return list(dict.fromkeys(ref for ref in refs if isinstance(ref, str)))[:MAX_REFERENCES]


def iter_actions(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each action with its name."""
    yield from definition.get("actions", {}).items()


def action_workflow(definition: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The workflow (``steps``, ``outputs``) that the action ``name`` of a version runs: its own, or the pinned one.

    Raises KeyError when there is no such action, or when a reference was never pinned (a draft's).
    """
    action = definition["actions"][name]
    ref = workflow_reference(action)
    if ref is None:
        inline: Mapping[str, Any] = action["workflow"]
        return inline
    # What it takes is the action's business, which has the workflow's own input where it says nothing else.
    return {name: value for name, value in definition["workflows"][ref]["definition"].items() if name != "input"}


def pinned(draft: Mapping[str, Any], pins: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A valid draft as a version keeps it: with the workflows that it names, and with their inputs where an action
    says nothing of its own. ``pins`` are ``{"revision", "definition"}`` by slug.
    """
    if not pins:
        return dict(draft)
    actions = {}
    for name, action in iter_actions(draft):
        ref = workflow_reference(action)
        own_input = pins[ref]["definition"].get("input") if ref is not None else None
        actions[name] = {**action, "input": own_input} if own_input and "input" not in action else action
    return {**draft, "actions": actions, "workflows": dict(pins)}


def without_pins(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition as a draft keeps it: without the workflows that a version pinned."""
    return {name: value for name, value in definition.items() if name != "workflows"}
