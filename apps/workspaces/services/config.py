"""A workspace's config: what its members may set for all of its apps, checked against a schema."""

from __future__ import annotations

from typing import Any

from apps.common.errors import InvalidInput
from apps.common.schemas import compile_schema

CONFIG_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Workspace config",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "support_email": {"type": "string", "format": "email", "maxLength": 254, "title": "Support address"},
        "support_url": {"type": "string", "pattern": "^https://[^\\s]+$", "maxLength": 500, "title": "Support page"},
        "theme": {
            "type": "object",
            "title": "Theme",
            "additionalProperties": False,
            "properties": {
                "accent": {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$", "title": "Accent colour"},
                "mode": {"enum": ["auto", "light", "dark"], "title": "Light or dark"},
            },
        },
        "labels": {
            "type": "object",
            "title": "Labels",
            "description": "Whatever your programs want to remember about this workspace.",
            "maxProperties": 50,
            "propertyNames": {"pattern": "^[a-z][a-z0-9_.-]{0,62}$"},
            "additionalProperties": {"type": ["string", "number", "boolean", "null"], "maxLength": 500},
        },
    },
}

_schema = compile_schema(CONFIG_SCHEMA)


def check_config(config: Any) -> dict[str, Any]:
    """``config`` itself. Raises InvalidInput, pointing to what doesn't fit the schema."""
    errors = _schema.errors(config, at="/config")
    if errors:
        raise InvalidInput(errors=errors)
    checked: dict[str, Any] = config
    return checked
