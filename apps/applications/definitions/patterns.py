"""Finds patterns that take a backtracking engine exponential time.

Our own validator runs patterns in linear time, so none of them can harm the platform. But a form gives a field's
pattern to the browser, whose engine backtracks: ``(a+)+$`` would freeze the page of whoever types thirty letters.

The rule: inside something repeated, a part of flexible length is dangerous unless a part that must be there, made of
other characters, separates one round from the next. ``([a-z]+[.])+`` is fine, ``([a-z]+[.]?)+`` is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

MANY_ROUNDS = 10
"""Repeating at most this often can't take long."""

MAX_NESTING = 12
"""Brackets within brackets; a pattern that nests deeper is taken for dangerous without being read."""

_ALPHABET = [*map(chr, range(128)), "é", "中"]
_ALL = frozenset(_ALPHABET)


def is_catastrophic(pattern: str) -> bool:
    """Whether matching may take time exponential in the length of the text. A pattern that can't be read is not."""
    if _nesting(pattern) > MAX_NESTING:
        return True
    try:
        parsed = parser.parse(pattern)
    except (re.error, OverflowError):
        return False
    return any(_is_ambiguous(body) for body in _repeated(parsed))


def _nesting(pattern: str) -> int:
    depth = deepest = 0
    for character in re.sub(r"\\.", "", pattern, flags=re.DOTALL):
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    return deepest


def _repeated(items: Any) -> Iterator[Any]:
    """The body of everything that is repeated many times, at any depth."""
    for op, argument in items:
        if op in {ops.MAX_REPEAT, ops.MIN_REPEAT} and argument[1] > MANY_ROUNDS:
            yield argument[2]
        for inner in _parts(op, argument):
            yield from _repeated(inner)


def _parts(op: Any, argument: Any) -> list[Any]:
    if op in {ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT}:
        return [argument[2]]
    if op is ops.SUBPATTERN:
        return [argument[3]]
    if op is ops.BRANCH:
        return list(argument[1])
    if op in {ops.ASSERT, ops.ASSERT_NOT}:
        return [argument[1]]
    return []


def _is_ambiguous(body: Any) -> bool:
    alternatives = _alternatives(body)
    starts = [_first(alternative) for alternative in alternatives]
    if any(starts[i] & starts[j] for i in range(len(starts)) for j in range(i)):
        return True
    return any(_splits_in_several_ways(_flat(alternative)) for alternative in alternatives)


def _splits_in_several_ways(items: list[Any]) -> bool:
    # The parser takes a common beginning out of alternatives: of `(a|a)` remain two that are empty.
    if any(op is ops.BRANCH and sum(not _width_of(way)[1] for way in argument[1]) > 1 for op, argument in items):
        return True
    for index, item in enumerate(items):
        if not _is_flexible(item):
            continue
        characters = _characters([item])
        others = [other for position, other in enumerate(items) if position != index and _width(other)[0] > 0]
        if characters and all(_characters([other]) & characters for other in others):
            return True
    return False


def _flat(items: Any) -> list[Any]:
    """The items with plain groups opened."""
    opened: list[Any] = []
    for op, argument in items:
        opened.extend(_flat(argument[3]) if op is ops.SUBPATTERN else [(op, argument)])
    return opened


def _alternatives(body: Any) -> list[Any]:
    items = _flat(body)
    return list(items[0][1][1]) if len(items) == 1 and items[0][0] is ops.BRANCH else [items]


def _is_flexible(item: Any) -> bool:
    least, most = _width(item)
    return least != most


def _width(item: Any) -> tuple[int, int]:
    """The least and the most characters that an item takes."""
    op, argument = item
    if op in {ops.AT, ops.ASSERT, ops.ASSERT_NOT}:
        return 0, 0
    if op in {ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT}:
        least, most = _width_of(argument[2])
        return least * argument[0], min(most * int(argument[1]), parser.MAXREPEAT)
    if op is ops.SUBPATTERN:
        return _width_of(argument[3])
    if op is ops.BRANCH:
        widths = [_width_of(alternative) for alternative in argument[1]]
        return min(least for least, _ in widths), max(most for _, most in widths)
    return 1, 1


def _width_of(items: Any) -> tuple[int, int]:
    widths = [_width(item) for item in items]
    return sum(least for least, _ in widths), sum(most for _, most in widths)


def _first(items: Any) -> frozenset[str]:
    """The characters with which these items can begin."""
    found: frozenset[str] = frozenset()
    for item in items:
        op, argument = item
        parts = _parts(op, argument)
        found |= frozenset().union(*map(_first, parts)) if parts else _characters([item])
        if _width(item)[0] > 0:
            break
    return found


def _characters(items: Any) -> frozenset[str]:
    """The characters that these items can hold, of a small alphabet that stands for all."""
    found: set[str] = set()
    for op, argument in items:
        if op is ops.LITERAL:
            found.add(chr(argument))
        elif op is ops.NOT_LITERAL:
            found |= _ALL - {chr(argument)}
        elif op is ops.ANY:
            found |= _ALL
        elif op is ops.IN:
            found |= _in_set(argument)
        else:
            for part in _parts(op, argument):
                found |= _characters(part)
    return frozenset(found)


_CATEGORIES = {
    ops.CATEGORY_DIGIT: r"\d",
    ops.CATEGORY_NOT_DIGIT: r"\D",
    ops.CATEGORY_SPACE: r"\s",
    ops.CATEGORY_NOT_SPACE: r"\S",
    ops.CATEGORY_WORD: r"\w",
    ops.CATEGORY_NOT_WORD: r"\W",
}


def _in_set(members: Any) -> frozenset[str]:
    found: set[str] = set()
    negated = False
    for op, argument in members:
        if op is ops.NEGATE:
            negated = True
        elif op is ops.LITERAL:
            found.add(chr(argument))
        elif op is ops.RANGE:
            low, high = argument
            found |= {character for character in _ALPHABET if low <= ord(character) <= high}
            found.add(chr(low))
        elif op is ops.CATEGORY:
            found |= {character for character in _ALPHABET if re.match(_CATEGORIES[argument], character)}
    return _ALL - found if negated else frozenset(found)
