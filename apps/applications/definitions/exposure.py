"""What a page gives to whoever may open it: what they can read, and what they can run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.applications.definitions.page_walk import form_actions, iter_blocks, iter_expressions

_PATH = re.compile(r"(?<![\w.])result((?:\s*\.\s*[A-Za-z_]\w*\b(?!\s*\())+)")


@dataclass(frozen=True, slots=True)
class Exposure:
    """``readable``: blocks, and the parts of results that they show; ``executable``: the actions of the forms."""

    readable: frozenset[str]
    executable: frozenset[str]


NOTHING = Exposure(frozenset(), frozenset())


def exposure_of(definition: Mapping[str, Any]) -> Exposure:
    """What the page of a valid definition gives to its visitors.

    A result that no block shows is listed below its form as a whole, so the action's name alone stands for all of it.
    """
    page = definition["page"]
    actions = form_actions(page)
    results = {
        ".".join(part.strip() for part in path.split(".") if part.strip())
        for expression in iter_expressions(page)
        for path in _PATH.findall(expression.source)
    }
    shown = {path.split(".")[0] for path in results}
    readable = {
        f"page: {page['title']}",
        *(f"block: {_describe(placed.block)}" for placed in iter_blocks(page)),
        *(f"result: {path}" for path in results),
        *(f"result: {action}" for action in actions if action not in shown),
    }
    return Exposure(readable=frozenset(readable), executable=frozenset(actions))


def _describe(block: Mapping[str, Any]) -> str:
    words = next((block[name] for name in ("title", "label", "text", "caption", "action") if name in block), "")
    text = " ".join(words.split()) if isinstance(words, str) else ""
    return f"{block['kind']} “{text[:60]}”" if text else str(block["kind"])
