"""What rows of apps must be that an archive brings: what our own services would have written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from apps.applications.definitions.actions import without_pins
from apps.applications.definitions.validation import validate_definition
from apps.applications.models import AccessPolicy
from apps.applications.services.access_policies import policy_errors
from apps.common.actors import Actor
from apps.common.archiving import Row
from apps.common.canonical_json import JsonTooLarge, MalformedJson, digest, loads
from apps.common.errors import InvalidInput
from apps.common.names import name_errors
from apps.common.row_copies import decode_array
from apps.common.slugs import check_slug
from apps.workflows.definitions import validate_workflow

#: A version holds, beside its draft, every workflow that it names.
_VERSION_MAX_BYTES = 32 * settings.DEFINITION_MAX_BYTES
_ACTOR_MAX_BYTES = 10_000


def check_app(row: Row) -> str | None:
    """A slug and a name that can be ones; a draft that can be opened. Whether it is valid is asked when it is shown."""
    try:
        check_slug(row["slug"] or "")
    except InvalidInput:
        return "its slug can't be one."
    try:
        loads(row["draft"] or "", max_bytes=settings.DEFINITION_MAX_BYTES)
    except (JsonTooLarge, MalformedJson) as error:
        return f"its draft can't be one: {error}"
    return "its name has control characters." if name_errors(row["name"] or "") else None


def check_version(row: Row) -> str | None:
    """A definition that is valid beside the workflows pinned in it, and that has its digest."""
    try:
        definition: Any = loads(row["definition"] or "", max_bytes=_VERSION_MAX_BYTES)
    except (JsonTooLarge, MalformedJson) as error:
        return f"its definition can't be one: {error}"
    if not isinstance(definition, dict):
        return "its definition is no object."
    if digest(definition) != row["digest"]:
        return "its digest isn't its definition's."
    return _definition_error(definition) or _actor_error(row["created_by"])


def check_release(row: Row) -> str | None:
    """Released by somebody."""
    return _actor_error(row["actor"])


def check_policy(row: Row) -> str | None:
    """Limits, addresses and sites that may be chosen."""
    try:
        given: dict[str, Any] = {
            name: int(row[name] or "0") for name in ("visitor_limit", "app_limit", "session_seconds")
        }
        given |= {name: decode_array(row[name] or "") for name in ("frame_ancestors", "addresses")}
    except ValueError:
        return "it can't be read."
    if row["audience"] not in AccessPolicy.Audience.values:
        return "there is no such audience."
    errors = policy_errors(given)
    return errors[0].detail if errors else None


def _actor_error(text: str | None) -> str | None:
    try:
        kept: Any = loads(text or "", max_bytes=_ACTOR_MAX_BYTES)
        Actor.from_json(kept)
    except (JsonTooLarge, MalformedJson, AttributeError, KeyError, TypeError, ValueError):
        return "whoever made it is nobody."
    return None if "id" in kept and isinstance(kept.get("name"), str) else "whoever made it has no name."


def _definition_error(definition: Mapping[str, Any]) -> str | None:
    pins = definition.get("workflows", {})
    if not isinstance(pins, dict) or not all(isinstance(pin, dict) and "definition" in pin for pin in pins.values()):
        return "its pinned workflows are none."
    workflows = {slug: pin["definition"] for slug, pin in pins.items()}
    for slug, workflow in workflows.items():
        errors = validate_workflow(workflow)
        if errors:
            return f"the workflow {slug[:63]} pinned in it is not valid: {errors[0].detail}"
    errors = validate_definition(without_pins(definition), workflows=workflows)
    return f"its definition is not valid: {errors[0].pointer} {errors[0].detail}" if errors else None
