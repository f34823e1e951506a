"""Whether a definition may be kept in the entered workspace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.applications.definitions.actions import pinned, referenced_workflows, without_pins
from apps.applications.definitions.validation import under, validate_definition
from apps.applications.errors import DefinitionRefused
from apps.workflows.selectors import NamedWorkflow, workflows_named


def require_valid(definition: Any, *, pointer: str = "definition") -> dict[str, Any]:
    """The definition as a draft keeps it. Raises DefinitionRefused, its pointers below the member ``pointer``."""
    draft = without_pins(definition) if isinstance(definition, dict) else definition
    require_valid_with(draft, _workflows_of(draft), pointer=pointer)
    kept: dict[str, Any] = draft
    return kept


def with_pins(draft: Mapping[str, Any]) -> dict[str, Any]:
    """The definition of a version: the draft, with every workflow that it names as it is at this moment.

    Raises DefinitionRefused when the draft has become invalid, because a workflow changed or went.
    """
    workflows = _workflows_of(draft)
    require_valid_with(draft, workflows, pointer="")
    pins = {
        slug: {"revision": workflow.revision, "definition": workflow.definition} for slug, workflow in workflows.items()
    }
    return pinned(draft, pins)


def require_valid_with(definition: Any, workflows: Mapping[str, NamedWorkflow], *, pointer: str) -> None:
    """Raise DefinitionRefused unless the definition is valid beside these workflows."""
    known = {slug: workflow.definition for slug, workflow in workflows.items()}
    errors = validate_definition(definition, workflows=known)
    if errors:
        raise DefinitionRefused(errors=under(pointer, errors))


def _workflows_of(definition: Any) -> dict[str, NamedWorkflow]:
    slugs = referenced_workflows(definition)
    return workflows_named(slugs) if slugs else {}
