"""The JSON Schema (draft 2020-12) of a definition: what clients and editors write against, as it is published."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from apps.applications.definitions.blank import SCHEMA_VERSION
from apps.applications.definitions.blocks import ACTION_NAME, block_definitions, page_schema
from apps.common.schemas import Schema, compile_schema
from apps.common.slugs import SLUG_PATTERN
from apps.workflows.definitions import kinds, workflow_definitions, workflow_schema

SCHEMA_ID = "urn:apprun:definition:1"
MAX_ACTIONS = 50


def definition_schema() -> dict[str, Any]:
    """The schema of a whole definition. Blocks and steps are told apart by ``kind``, so errors point inside them."""
    return _schema(kinds.generation)


def compiled_definition_schema() -> Schema:
    """The validator of ``definition_schema()``; compiled once per process, and again when a step kind is added."""
    return _compiled(kinds.generation)


@lru_cache(maxsize=1)
def _compiled(generation: int) -> Schema:
    return compile_schema(_schema(generation))


@lru_cache(maxsize=1)
def _schema(generation: int) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "An app's definition",
        "description": "A page, the actions that its forms call, and the steps that compute their results.",
        "type": "object",
        "required": ["schema_version", "page"],
        "properties": {
            "schema_version": {"const": SCHEMA_VERSION, "description": "The version of this grammar."},
            "page": page_schema(),
            "actions": {
                "description": "What visitors can call, by name; `result.<name>` is what the last call gave.",
                "type": "object",
                "maxProperties": MAX_ACTIONS,
                "propertyNames": {"pattern": ACTION_NAME},
                "additionalProperties": {"$ref": "#/$defs/action"},
                "default": {},
            },
            "workflows": {
                "description": "The workflows that actions refer to, as they were when the version was made. Written "
                "by the platform; what a draft says here is left out.",
                "type": "object",
                "readOnly": True,
            },
        },
        "additionalProperties": False,
        "$defs": {
            **workflow_definitions(),
            **block_definitions(),
            "expression": {
                "title": "Expression",
                "description": "CEL. A page's expressions know `inputs` and `result.<action>`; a workflow's know "
                "`inputs`, `steps.<id>`, `errors.<id>`, and `item` and `index` inside a foreach.",
                "type": "object",
                "required": ["expr"],
                "properties": {"expr": {"type": "string", "minLength": 1, "maxLength": 4096}},
                "additionalProperties": False,
            },
            "action": {
                "description": "What it asks for, and what computes its result.",
                "type": "object",
                "required": ["workflow"],
                "properties": {
                    "mode": {
                        "enum": ["sync"],
                        "default": "sync",
                        "description": "`sync`: the result comes with the answer.",
                    },
                    "input": {
                        "$ref": "#/$defs/input",
                        "description": "What the form asks for. Left out, it is the named workflow's own, or nothing.",
                    },
                    "workflow": {
                        "description": 'The steps, or `{"ref": "<slug>"}` for a workflow of the workspace.',
                        "type": "object",
                        "if": {"required": ["ref"]},
                        "then": {"$ref": "#/$defs/workflow_reference"},
                        "else": {"$ref": "#/$defs/workflow"},
                    },
                },
                "additionalProperties": False,
            },
            "workflow_reference": {
                "type": "object",
                "properties": {
                    "ref": {
                        "type": "string",
                        "pattern": f"^{SLUG_PATTERN}$",
                        "description": "A workflow of the same workspace, by its slug.",
                    }
                },
                "required": ["ref"],
                "additionalProperties": False,
            },
            "workflow": workflow_schema(with_input=False),
        },
    }
