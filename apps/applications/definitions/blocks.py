"""The kinds of blocks that a page is made of: what each may hold, as JSON Schema.

This is the whole grammar of a page. ``page_schema()`` is what the definition's own schema embeds under ``page`` and
``block_definitions()`` is what it embeds under its root ``$defs``; both are closed (an unknown member is refused) and
discriminate by ``if kind/then``, so that an error points at the member at fault inside its block. What a block looks
like is the business of ``apps.runtime.pages``, which has one renderer for each kind here.

A page nests at most three deep (section, columns, block), by grammar and not by counting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]

MAX_BLOCKS = 200
"""Blocks in one list of blocks."""

MAX_COLUMNS = 50
"""Columns of a table, fields of a record."""

NUMBER_FORMAT = r"[^0#]{0,16}0(?:,0{1,3})?(?:\.0{1,12})?[^0#]{0,16}"
"""The patterns of ``apps.common.number_format``."""

DATE_FORMAT = r"(?:YYYY|MMMM|MMM|MM|DD|D|HH|mm|ss|[-/., :T])+"

FORMAT_PATTERN = rf"^(?:date|datetime|time|{DATE_FORMAT}|{NUMBER_FORMAT})$"

ACTION_NAME = r"^[a-z][a-z0-9_]{0,62}$"
FIELD_NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,62}$"

_WEB_ADDRESS = r"^(?:https?://[^\s\"'<>\\]+|mailto:[^\s\"'<>\\]+|tel:[+0-9 ()-]{2,32}|[/#][^\s\"'<>\\]*)$"
_IMAGE_ADDRESS = r"^https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[^\s\"'<>\\;]*)?$"


def _text(maximum: int, description: str, **more: Any) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": maximum, "description": description, **more}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


_LABEL = _text(200, "What people read.")
_FORMAT = {
    "type": "string",
    "maxLength": 60,
    "pattern": FORMAT_PATTERN,
    "description": "How a number or a time is written: `0,0.00`, `0.0%`, `€ 0,0`, `date`, `D MMM YYYY`.",
}
_FIELD = {"type": "string", "pattern": FIELD_NAME, "description": "The name of a member of each row."}


@dataclass(frozen=True, slots=True)
class BlockKind:
    """One kind of block: its name, a sentence on what it is for, and its members as JSON Schema."""

    name: str
    summary: str
    properties: Mapping[str, Schema]
    required: tuple[str, ...] = ()
    example: Mapping[str, Any] = field(default_factory=dict)
    container: bool = False
    """Whether it holds other blocks."""

    def schema(self) -> Schema:
        """The closed schema of a block of this kind."""
        return {
            "description": self.summary,
            "type": "object",
            "required": ["kind", *self.required],
            "properties": {
                "kind": {"const": self.name},
                "when": _ref("expression") | {"description": "Shown only while this is true."},
                **self.properties,
            },
            "additionalProperties": False,
        }


BLOCK_KINDS: dict[str, BlockKind] = {}


def register_block_kind(kind: BlockKind) -> BlockKind:
    """Add a kind of block to the grammar. A name can be taken once."""
    if kind.name in BLOCK_KINDS:
        raise ValueError(f"The block kind {kind.name!r} is registered twice.")
    BLOCK_KINDS[kind.name] = kind
    return kind


for _kind in (
    BlockKind(
        "heading",
        "A heading between blocks.",
        {"text": _LABEL, "level": {"enum": [2, 3], "default": 2}},
        ("text",),
        {"kind": "heading", "text": "Your result"},
    ),
    BlockKind(
        "markdown",
        "Formatted text (CommonMark with tables). HTML in it is shown as text, never run.",
        {"text": _text(65_536, "The Markdown source.")},
        ("text",),
        {"kind": "markdown", "text": "What a loan costs, **month by month**."},
    ),
    BlockKind(
        "text",
        "One paragraph, fixed or computed, without formatting.",
        {"text": _ref("value")},
        ("text",),
        {"kind": "text", "text": {"expr": "'You save ' + format_number(result.compare.saving, '0.00') + ' a year.'"}},
    ),
    BlockKind(
        "callout",
        "A paragraph that stands out: a note, a success, a warning or a danger.",
        {
            "tone": {"enum": ["info", "success", "warning", "danger"], "default": "info"},
            "title": _ref("value"),
            "text": _ref("value"),
        },
        ("text",),
        {"kind": "callout", "tone": "warning", "text": "Prices are without tax."},
    ),
    BlockKind("divider", "A thin line between blocks.", {}, (), {"kind": "divider"}),
    BlockKind(
        "link",
        "A link, as text or as a button. Addresses are http(s), mailto:, tel:, or a path on this host.",
        {
            "label": _LABEL,
            "url": {"type": "string", "maxLength": 2048, "pattern": _WEB_ADDRESS},
            "style": {"enum": ["link", "button"], "default": "link"},
        },
        ("label", "url"),
        {"kind": "link", "label": "How this is computed", "url": "https://example.org/method"},
    ),
    BlockKind(
        "image",
        "A picture by its https address, with the text that stands for it.",
        {
            "url": {"type": "string", "maxLength": 2048, "pattern": _IMAGE_ADDRESS},
            "alt": {"type": "string", "maxLength": 500, "description": "Empty when the picture only decorates."},
            "caption": _LABEL,
        },
        ("url", "alt"),
        {"kind": "image", "url": "https://example.org/plan.png", "alt": "Floor plan of the hall"},
    ),
    BlockKind(
        "form",
        "The form of an action, made from the action's input schema. Results of an action that no block shows are "
        "listed below its form.",
        {
            "action": {"type": "string", "pattern": ACTION_NAME, "description": "The name of an action."},
            "title": _LABEL,
            "text": _text(2_000, "A sentence above the fields."),
            "submit_label": _text(80, "The text of the button."),
        },
        ("action",),
        {"kind": "form", "action": "schedule", "submit_label": "Calculate"},
    ),
    BlockKind(
        "metric",
        "One number or word, large, with its label.",
        {"label": _LABEL, "value": _ref("value"), "format": _FORMAT, "help": _text(500, "A sentence below it.")},
        ("label", "value"),
        {
            "kind": "metric",
            "label": "Monthly payment",
            "value": {"expr": "result.schedule.payment"},
            "format": "0,0.00",
        },
    ),
    BlockKind(
        "table",
        "Rows as a table. Columns of numbers are aligned right; on a phone each row becomes a card.",
        {
            "rows": _ref("rows"),
            "columns": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_COLUMNS,
                "items": {
                    "type": "object",
                    "required": ["field"],
                    "properties": {
                        "field": _FIELD,
                        "label": _LABEL,
                        "format": _FORMAT,
                        "align": {"enum": ["start", "end", "center"]},
                    },
                    "additionalProperties": False,
                },
            },
            "caption": _LABEL,
            "empty": _text(200, "What is said when there are no rows."),
            "max_rows": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 500},
        },
        ("rows", "columns"),
        {
            "kind": "table",
            "rows": {"expr": "result.schedule.rows"},
            "columns": [
                {"field": "month", "label": "Month"},
                {"field": "balance", "label": "Balance", "format": "0,0.00"},
            ],
        },
    ),
    BlockKind(
        "chart",
        "Rows as a line, area or bar chart, drawn by the server, with the same numbers as a table for those who "
        "can't see it.",
        {
            "type": {"enum": ["line", "area", "bar"]},
            "rows": _ref("rows"),
            "x": _FIELD,
            "y": {"type": "array", "minItems": 1, "maxItems": 6, "uniqueItems": True, "items": _FIELD},
            "title": _LABEL,
            "labels": {
                "type": "object",
                "maxProperties": 7,
                "propertyNames": {"pattern": FIELD_NAME},
                "additionalProperties": _LABEL,
                "description": "What people read for a field.",
            },
            "format": _FORMAT,
            "x_format": _FORMAT,
        },
        ("type", "rows", "x", "y"),
        {"kind": "chart", "type": "line", "rows": {"expr": "result.schedule.rows"}, "x": "month", "y": ["balance"]},
    ),
    BlockKind(
        "list",
        "A list of words or numbers, bulleted or numbered.",
        {
            "items": _ref("items"),
            "ordered": {"type": "boolean", "default": False},
            "format": _FORMAT,
            "empty": _text(200, "What is said when there are none."),
        },
        ("items",),
        {"kind": "list", "items": {"expr": "result.check.reasons"}},
    ),
    BlockKind(
        "record",
        "Labels with their values, one below the other.",
        {
            "title": _LABEL,
            "fields": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_COLUMNS,
                "items": {
                    "type": "object",
                    "required": ["label", "value"],
                    "properties": {"label": _LABEL, "value": _ref("value"), "format": _FORMAT},
                    "additionalProperties": False,
                },
            },
        },
        ("fields",),
        {"kind": "record", "fields": [{"label": "Bank", "value": {"expr": "result.check.bank"}}]},
    ),
    BlockKind(
        "code",
        "Text kept as it is, in a fixed-width face: something to copy.",
        {"text": _ref("value"), "label": _LABEL},
        ("text",),
        {"kind": "code", "label": "Printed form", "text": {"expr": "result.check.printed"}},
    ),
    BlockKind(
        "section",
        "A titled group of blocks. May hold columns, but no further section.",
        {
            "title": _LABEL,
            "blocks": {"type": "array", "minItems": 1, "maxItems": MAX_BLOCKS, "items": _ref("section_block")},
        },
        ("blocks",),
        {"kind": "section", "title": "Result", "blocks": [{"kind": "divider"}]},
        container=True,
    ),
    BlockKind(
        "columns",
        "Two to four columns side by side; below each other on a phone. Holds neither sections nor columns.",
        {
            "columns": {
                "type": "array",
                "minItems": 2,
                "maxItems": 4,
                "items": {
                    "type": "object",
                    "required": ["blocks"],
                    "properties": {
                        "blocks": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": MAX_BLOCKS,
                            "items": _ref("column_block"),
                        }
                    },
                    "additionalProperties": False,
                },
            }
        },
        ("columns",),
        {"kind": "columns", "columns": [{"blocks": [{"kind": "divider"}]}, {"blocks": [{"kind": "divider"}]}]},
        container=True,
    ),
):
    register_block_kind(_kind)
del _kind


# --- The schema -----------------------------------------------------------------------------------------------------


def _one_of_kinds(names: list[str]) -> Schema:
    return {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": names}},
        "allOf": [
            {
                "if": {"required": ["kind"], "properties": {"kind": {"const": name}}},
                "then": _ref(f"{name}_block_kind"),
            }
            for name in names
        ],
    }


def block_definitions() -> dict[str, Schema]:
    """What the definition's schema needs under its root ``$defs`` for ``page_schema()`` to resolve."""
    names = list(BLOCK_KINDS)
    return {
        "expression": {
            "description": "A CEL expression over `inputs` and `result.<action>`.",
            "type": "object",
            "required": ["expr"],
            "properties": {"expr": {"type": "string", "minLength": 1, "maxLength": 4096}},
            "additionalProperties": False,
        },
        "value": {
            "description": "A fixed value, or an expression.",
            "type": ["string", "number", "boolean", "null", "object"],
            "maxLength": 65_536,
            "if": {"type": "object"},
            "then": _ref("expression"),
        },
        "rows": {
            "description": "A list of objects, fixed or computed.",
            "type": ["array", "object"],
            "if": {"type": "object"},
            "then": _ref("expression"),
            "else": {
                "maxItems": 1000,
                "items": {
                    "type": "object",
                    "maxProperties": MAX_COLUMNS,
                    "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
                },
            },
        },
        "items": {
            "description": "A list of plain values, fixed or computed.",
            "type": ["array", "object"],
            "if": {"type": "object"},
            "then": _ref("expression"),
            "else": {"maxItems": 1000, "items": {"type": ["string", "number", "boolean", "null"]}},
        },
        **{f"{name}_block_kind": kind.schema() for name, kind in BLOCK_KINDS.items()},
        "block": _one_of_kinds(names),
        "section_block": _one_of_kinds([name for name in names if name != "section"]),
        "column_block": _one_of_kinds([name for name in names if not BLOCK_KINDS[name].container]),
    }


def page_schema() -> Schema:
    """The schema of a definition's ``page``. Its references resolve in ``block_definitions()`` at the root."""
    return {
        "description": "What visitors see.",
        "type": "object",
        "required": ["title", "blocks"],
        "properties": {
            "title": _text(200, "The title of the page."),
            "description": _text(500, "A sentence for search engines and link previews."),
            "language": {
                "type": "string",
                "pattern": "^[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}$",
                "description": "The language of the page's own words (BCP 47), for screen readers.",
                "default": "en",
            },
            "theme": {
                "type": "object",
                "properties": {
                    "accent": {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$", "default": "#2f6fed"},
                    "mode": {"enum": ["auto", "light", "dark"], "default": "auto"},
                    "width": {"enum": ["narrow", "wide"], "default": "narrow"},
                },
                "additionalProperties": False,
            },
            "blocks": {"type": "array", "maxItems": MAX_BLOCKS, "items": _ref("block")},
        },
        "additionalProperties": False,
    }
