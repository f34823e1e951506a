"""The definition that a new app begins with."""

from __future__ import annotations

from typing import Any

SCHEMA_VERSION = 1


def blank_definition(title: str = "Home") -> dict[str, Any]:
    """A page that welcomes its maker and says what to do next; no inputs, no actions."""
    return {
        "schema_version": SCHEMA_VERSION,
        "page": {
            "title": title[:200] or "Home",
            "theme": {"accent": "#2f6fed", "mode": "auto"},
            "blocks": [
                {
                    "kind": "markdown",
                    "text": "Welcome! This page is yours to fill: say in a few words what it is for, "
                    "and whom it helps.",
                },
                {
                    "kind": "section",
                    "title": "From here to a working app",
                    "blocks": [
                        {
                            "kind": "list",
                            "ordered": True,
                            "items": [
                                "Describe the page: headings, text, tables, charts.",
                                "Add an action: the fields it asks for, and the steps that compute its result.",
                                "Place a form on the page, and show the result below it.",
                                "Save the draft, look at the preview, publish.",
                            ],
                        }
                    ],
                },
                {
                    "kind": "callout",
                    "tone": "info",
                    "title": "Nothing is lost",
                    "text": "Every version that you publish is kept. You can compare any two, and go back at any time.",
                },
            ],
        },
        "actions": {},
    }
