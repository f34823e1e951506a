"""Reading SQL as PostgreSQL's own scanner does, as far as it takes to split scripts and to bind names.

The rules are those of PostgreSQL 15, section 4.1, and of psql's splitter (``psqlscan.l``). Nothing rests on them that
matters for safety: each statement travels in a message of its own (extended protocol), in which the server refuses a
second one, so a text that is read wrongly here is refused there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.common.errors import FieldError, InvalidInput

_TOKEN = re.compile(
    r"""
    (?P<space>\s++)
  | (?P<comment>--[^\n]*+)
  | (?P<block>/\*)
  | (?P<text>[eE]'(?:[^'\\]|''|\\.)*+'? | (?:[uU]&)?'(?:[^']|'')*+'? | (?:[uU]&)?"(?:[^"]|"")*+"?)
  | (?P<dollar>\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*+)?\$)
  | (?P<word>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*+)
  | (?P<number>\d[\w.]*+)
  | (?P<cast>::|:=)
  | (?P<name>:[A-Za-z_][A-Za-z0-9_]*+)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_BLANK = frozenset({"space", "comment", "block"})


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a script: its text without the semicolon, the number of its first line and its words so far."""

    text: str
    line: int
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BoundText:
    """A statement with ``$1``, ``$2``… in place of names, and the values in that order."""

    text: str
    values: tuple[Any, ...]
    #: Where a replacement ends in the new text, and by how much the original is longer up to there.
    shifts: tuple[tuple[int, int], ...]

    def original_position(self, position: int) -> int:
        """Where a character of the bound text (from 1) stands in what the caller sent."""
        shift = 0
        for end, longer in self.shifts:
            if position <= end:
                break
            shift = longer
        return position + shift


def _tokens(sql: str) -> Iterator[tuple[str, int, int]]:
    """Kind, start and end of each token."""
    at = 0
    while at < len(sql):
        match = _TOKEN.match(sql, at)
        assert match is not None, "any character is a token"
        kind, end = str(match.lastgroup), match.end()
        if kind == "block":
            end = _end_of_comment(sql, end)
        elif kind == "dollar":
            closing = sql.find(match.group(), end)
            kind, end = "text", (len(sql) if closing < 0 else closing + len(match.group()))
        yield kind, at, end
        at = end


def _end_of_comment(sql: str, at: int) -> int:
    """Block comments nest."""
    depth = 1
    for edge in _COMMENT_EDGE.finditer(sql, at):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(sql)


def split_statements(sql: str) -> list[Statement]:
    """The statements of a script; comments and blanks alone are none."""
    found: list[Statement] = []
    parser = _Body()
    begin: int | None = None
    words: list[str] = []
    for kind, start, end in _tokens(sql):
        part = sql[start:end]
        if part == ";" and parser.outside:
            if begin is not None:
                found.append(_statement(sql, begin, start, words))
            parser, begin, words = _Body(), None, []
            continue
        if kind in _BLANK:
            continue
        begin = start if begin is None else begin
        if kind == "word" and len(words) < 6:
            words.append(part.lower())
        parser.see(kind, part.lower())
    if begin is not None:
        found.append(_statement(sql, begin, len(sql), words))
    return found


def _statement(sql: str, begin: int, end: int, words: Sequence[str]) -> Statement:
    return Statement(sql[begin:end].rstrip(), sql.count("\n", 0, begin) + 1, tuple(words))


class _Body:
    """Whether a semicolon ends the statement: not within parentheses, nor in the body of a function that is written
    in SQL itself (``BEGIN ATOMIC … END``), told as psql tells it."""

    def __init__(self) -> None:
        self._parentheses = 0
        self._begins = 0
        self._words: list[str] = []

    @property
    def outside(self) -> bool:
        return self._parentheses == 0 and self._begins == 0

    def see(self, kind: str, part: str) -> None:
        if part == "(":
            self._parentheses += 1
        elif part == ")":
            self._parentheses = max(0, self._parentheses - 1)
        if kind != "word":
            return
        if len(self._words) < 4:
            self._words.append(part)
        if self._parentheses == 0 and self._makes_function():
            if part == "begin" or (part == "case" and self._begins):
                self._begins += 1
            elif part == "end" and self._begins:
                self._begins -= 1

    def _makes_function(self) -> bool:
        words = [word for word in self._words if word not in ("or", "replace")]
        return words[0] == "create" and len(words) > 1 and words[1] in ("function", "procedure")


def without_values(sql: str) -> str:
    """The text with ``…`` for every constant in it and without comments: what was done, not to which values."""
    parts = []
    for kind, start, end in _tokens(sql):
        part = sql[start:end]
        if kind in _BLANK:
            part = " "
        elif kind == "number" or (kind == "text" and not part.lower().startswith(('"', 'u&"'))):
            part = "…"
        parts.append(part)
    return re.sub(r"  +", " ", "".join(parts)).strip()


def bind_names(sql: str, params: Mapping[str, Any]) -> BoundText:
    """``:name`` outside of texts and comments becomes a parameter of the protocol, never text of the statement.

    A colon that follows a bracket or another value (``items[1:n]``) is a slice: put a space before the name to mean a
    parameter. Raises InvalidInput for names without a value and values without a name.
    """
    parts: list[str] = []
    numbers: dict[str, int] = {}
    shifts: list[tuple[int, int]] = []
    length = longer = 0
    slices = 0
    for kind, start, end in _tokens(sql):
        part = sql[start:end]
        slices += {"[": 1, "]": -1}.get(part, 0)
        if kind == "name" and not (slices > 0 and start and (sql[start - 1].isalnum() or sql[start - 1] in "_])")):
            number = numbers.setdefault(part[1:], len(numbers) + 1)
            longer += len(part) - len(f"${number}")
            part = f"${number}"
            shifts.append((length + len(part), longer))
        parts.append(part)
        length += len(part)
    _require_fit(numbers, params)
    return BoundText("".join(parts), tuple(params[name] for name in numbers), tuple(shifts))


def _require_fit(names: Mapping[str, int], params: Mapping[str, Any]) -> None:
    errors = [
        FieldError(f"/params/{name}", "required", f"The statement names :{name}; give it a value.")
        for name in names
        if name not in params
    ]
    errors += [
        FieldError(f"/params/{name}", "unknown_field", "The statement doesn't name this.")
        for name in params
        if name not in names
    ]
    if errors:
        raise InvalidInput(errors=errors)
