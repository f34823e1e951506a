"""Which part of a result a page uses, and nothing more of it.

A program that calls an action receives only the fields that the page shows (domain.md, "applications"). What the page
uses is read from its expressions: ``result.schedule.payment`` uses that member; a table over ``result.schedule.rows``
uses the fields of its columns; an expression that takes hold of more (``result.schedule`` as a whole) uses all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.applications.definitions.page_walk import iter_blocks, iter_expressions

_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_CHAIN = re.compile(r"(?<![\w.])result((?:\s*\.\s*[A-Za-z_]\w*\b(?!\s*\())*)")
_WHOLE_CHAIN = re.compile(r"\s*result((?:\s*\.\s*[A-Za-z_]\w*)+)\s*\Z")


@dataclass(slots=True)
class Use:
    """How much of a value is used: ``whole``, or some ``members`` of it (of each item, when it is a list)."""

    whole: bool = False
    members: dict[str, Use] = field(default_factory=dict)

    def take(self, path: list[str]) -> Use:
        """The use at the end of a path, made when it isn't there yet."""
        here = self
        for name in path:
            here = here.members.setdefault(name, Use())
        return here


def uses_of(page: Mapping[str, Any]) -> dict[str, Use]:
    """For each action that a page's expressions name, what they use of its result."""
    root = Use()
    narrowed: set[str] = set()
    for placed in iter_blocks(page):
        rows = placed.block.get("rows")
        match = _WHOLE_CHAIN.match(rows["expr"]) if isinstance(rows, Mapping) and "expr" in rows else None
        if match:
            narrowed.add(f"{placed.pointer}/rows/expr")
            use = root.take(_names(match[1]))
            for name in _row_fields(placed.block):
                use.take([name]).whole = True
    for expression in iter_expressions(page):
        if expression.pointer in narrowed:
            continue
        for path in _chains(expression.source):
            root.take(path).whole = True
    if root.whole:
        return {action: Use(whole=True) for action in {*root.members, "*"}}
    return root.members


def project(value: Any, use: Use) -> Any:
    """The used part of a value. Lists keep their length; members that aren't there are left out."""
    if use.whole:
        return value
    if isinstance(value, Mapping):
        return {name: project(value[name], inner) for name, inner in use.members.items() if name in value}
    if isinstance(value, list | tuple):
        return [project(item, use) for item in value]
    return value if not use.members else None


def _row_fields(block: Mapping[str, Any]) -> Iterator[str]:
    if block["kind"] == "table":
        yield from (column["field"] for column in block["columns"])
    else:
        yield block["x"]
        yield from block["y"]


def _chains(source: str) -> Iterator[list[str]]:
    plain = _STRING.sub("''", source)
    for match in _CHAIN.finditer(plain):
        yield _names(match[1])


def _names(chain: str) -> list[str]:
    return [name.strip() for name in chain.split(".") if name.strip()]
