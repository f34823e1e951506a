"""Walking over a page: its blocks, its expressions, the actions that its forms call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PlacedBlock:
    """A block and its RFC 6901 pointer, relative to the page."""

    pointer: str
    block: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlacedExpression:
    """The source of an expression and the RFC 6901 pointer of its ``expr``, relative to the page."""

    pointer: str
    source: str


def iter_blocks(page: Mapping[str, Any]) -> Iterator[PlacedBlock]:
    """Every block of a valid page, containers before what they hold, in reading order."""
    yield from _iter_blocks(page.get("blocks", ()), "/blocks")


def _iter_blocks(blocks: Any, pointer: str) -> Iterator[PlacedBlock]:
    for index, block in enumerate(blocks):
        here = f"{pointer}/{index}"
        yield PlacedBlock(here, block)
        if "blocks" in block:
            yield from _iter_blocks(block["blocks"], f"{here}/blocks")
        if block.get("kind") == "columns":
            for number, column in enumerate(block["columns"]):
                yield from _iter_blocks(column["blocks"], f"{here}/columns/{number}/blocks")


def iter_expressions(page: Mapping[str, Any]) -> Iterator[PlacedExpression]:
    """Every expression of a valid page. They see ``inputs`` and ``result``, nothing else."""
    for placed in iter_blocks(page):
        for name, value in placed.block.items():
            if name == "blocks" or (name == "columns" and placed.block.get("kind") == "columns"):
                continue
            yield from _iter_expressions(value, f"{placed.pointer}/{name}")


def _iter_expressions(value: Any, pointer: str) -> Iterator[PlacedExpression]:
    if isinstance(value, Mapping):
        if set(value) == {"expr"} and isinstance(value["expr"], str):
            yield PlacedExpression(f"{pointer}/expr", value["expr"])
            return
        for name, member in value.items():
            escaped = str(name).replace("~", "~0").replace("/", "~1")
            yield from _iter_expressions(member, f"{pointer}/{escaped}")
    elif isinstance(value, list | tuple):
        for index, member in enumerate(value):
            yield from _iter_expressions(member, f"{pointer}/{index}")


def form_actions(page: Mapping[str, Any]) -> list[str]:
    """The names of the actions that a page has forms for, each once, in reading order: what a visitor may call."""
    return list(dict.fromkeys(p.block["action"] for p in iter_blocks(page) if p.block.get("kind") == "form"))
