"""Reads an expression's tokens before anything else sees it, and refuses what could hurt.

The compiler of ``common-expression-language`` ends the process on a long or deeply nested source, has no budget of
steps, and expands macros before it can be asked for them. So the size, the nesting and the names that are called are
checked here, in one pass over the text, in time linear in its length. Whether the tokens form an expression is the
compiler's business.

The grammar of tokens is that of the CEL language definition (cel-spec, section "Syntax"), without bytes and unsigned
numbers, which JSON doesn't have.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from .errors import ExpressionRefused, Position

MAX_SOURCE_BYTES = 4_096
MAX_TOKENS = 500
MAX_NESTING = 32
"""Nesting costs about 12 kB of stack a level while compiling; 32 fit into half a megabyte, and a thread has two."""

MACROS = frozenset({"map", "filter", "all", "exists", "exists_one", "existsOne"})

_WORDS = frozenset({"true", "false", "null", "in"})
_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n\f]+|//[^\n]*)
  | (?P<text>[rR]?(?:\"{3}|'{3}|"|'))
  | (?P<number>0[xX][0-9a-fA-F]+|(?:[0-9]+\.[0-9]+|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<symbol>&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{}])
    """,
    re.VERBOSE,
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind (``text``, ``number``, ``name``, ``word`` or ``symbol``), its text and where it starts."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class Call:
    """A function that the source calls: ``name(…)``, or ``x.name(…)`` when ``method``."""

    name: str
    arguments: int
    method: bool
    token: Token


@dataclass(frozen=True)
class TokenizedSource:
    """A source and its tokens, with every bracket closed and no macro in it."""

    source: str
    tokens: tuple[Token, ...]
    calls: tuple[Call, ...]

    @cached_property
    def _line_starts(self) -> list[int]:
        return _line_starts(self.source)

    def position(self, offset: int) -> Position:
        return _position(self._line_starts, offset)

    def roots(self) -> Iterator[int]:
        """The indexes of the tokens that name a variable: no field, no function, no word of the language."""
        for index, token in enumerate(self.tokens):
            if token.kind != "name" or self._is_symbol(index - 1, ".") or self._is_symbol(index + 1, "("):
                continue
            yield index

    def field_after(self, index: int) -> Token | None:
        """The field ``b`` of a variable ``a`` written as ``a.b``; nothing for ``a.b()``, ``a[…]`` and ``has(a.b)``."""
        if not self._is_symbol(index + 1, "."):
            return None
        field = self.tokens[index + 2] if index + 2 < len(self.tokens) else None
        if field is None or field.kind != "name" or self._is_symbol(index + 3, "("):
            return None
        return field

    def is_presence_test(self, index: int) -> bool:
        """Whether the variable at ``index`` stands in ``has(a.b)`` or ``has((a.b))``, which look at all of ``a``."""
        opened = 0
        while self._is_symbol(index - 1 - opened, "("):
            opened += 1
        before = index - 1 - opened
        closed = all(self._is_symbol(index + 3 + offset, ")") for offset in range(opened))
        return opened > 0 and closed and before >= 0 and self.tokens[before].text == "has"

    def _is_symbol(self, index: int, text: str) -> bool:
        return 0 <= index < len(self.tokens) and self.tokens[index].text == text


def tokenize(source: str) -> TokenizedSource:
    """The tokens of ``source``. Raises ``ExpressionRefused`` for what is too long, too deep, or not ours to run."""
    if len(source) > MAX_SOURCE_BYTES or len(source.encode("utf-8", "surrogatepass")) > MAX_SOURCE_BYTES:
        raise ExpressionRefused(
            f"An expression may have at most {MAX_SOURCE_BYTES} bytes; this one is longer.", code="expression_too_long"
        )
    tokens = tuple(_tokens(source))
    if not tokens:
        raise ExpressionRefused("The expression is empty.")
    return TokenizedSource(source, tokens, tuple(_calls(source, tokens)))


def _tokens(source: str) -> Iterator[Token]:
    offset, count = 0, 0
    while offset < len(source):
        match = _TOKEN.match(source, offset)
        if match is None:
            raise _refused(source, offset, f"{source[offset]!r} has no meaning here")
        kind, text = str(match.lastgroup), match.group()
        if kind == "space":
            offset = match.end()
            continue
        if kind == "text":
            text = source[offset : _end_of_text(source, offset, text)]
        elif kind == "name":
            kind = "word" if text in _WORDS else "name"
            _check_name(source, offset, text)
        elif kind == "number":
            _check_number_ends(source, match.end(), text)
        count += 1
        if count > MAX_TOKENS:
            raise ExpressionRefused(
                f"An expression may have at most {MAX_TOKENS} words and signs; this one has more. "
                "Split it over several steps.",
                code="expression_too_long",
            )
        yield Token(kind, text, offset)
        offset += len(text)


def _check_name(source: str, offset: int, name: str) -> None:
    following = source[offset + len(name) : offset + len(name) + 1]
    if name.lower() in {"b", "br", "rb"} and following in {"'", '"'}:
        raise _refused(
            source, offset, "Bytes are not supported; write text without the prefix", "expression_not_supported"
        )
    if name.startswith("__"):
        raise _refused(source, offset, "A name may not begin with two underscores", "expression_not_supported")


def _check_number_ends(source: str, end: int, number: str) -> None:
    following = source[end : end + 1]
    if following in {"u", "U"}:
        raise _refused(source, end, "Unsigned numbers are not supported; leave out the u", "expression_not_supported")
    if following.isalnum() or following == "_":
        raise _refused(source, end, f"{following!r} can't follow the number {number}")


def _end_of_text(source: str, start: int, opening: str) -> int:
    raw = opening[0] in "rR"
    quote = opening[1:] if raw else opening
    offset = start + len(opening)
    while offset < len(source):
        if source.startswith(quote, offset):
            return offset + len(quote)
        if source[offset] == "\\" and not raw:
            offset += 2
            continue
        if source[offset] in "\r\n" and len(quote) == 1:
            break
        offset += 1
    raise _refused(source, start, "This text is not closed; its quotation mark is missing")


def _calls(source: str, tokens: tuple[Token, ...]) -> Iterator[Call]:
    """Every call, found while checking that brackets match and don't nest too deeply."""
    open_brackets: list[tuple[Token, Call | None, int, bool]] = []  # bracket, its call, commas, anything in it
    for index, token in enumerate(tokens):
        if token.kind == "symbol" and token.text in ")]}":
            if not open_brackets or _CLOSING[open_brackets[-1][0].text] != token.text:
                raise _refused(source, token.start, f"This {token.text!r} closes nothing")
            _, call, commas, filled = open_brackets.pop()
            if call is not None:
                yield Call(call.name, commas + 1 if filled else 0, call.method, call.token)
        if open_brackets:
            bracket, call, commas, _ = open_brackets[-1]
            open_brackets[-1] = (bracket, call, commas + (token.text == "," and token.kind == "symbol"), True)
        if token.kind == "symbol" and token.text in _CLOSING:
            before = tokens[index - 1] if index else None
            if token.text == "{" and before is not None and before.kind == "name":
                raise _refused(source, before.start, f"{before.text}{{…}} is not supported", "expression_not_supported")
            open_brackets.append((token, _call_at(source, tokens, index), 0, False))
            if len(open_brackets) > MAX_NESTING:
                raise _refused(
                    source, token.start, f"Brackets may nest at most {MAX_NESTING} deep", "expression_too_deep"
                )
    if open_brackets:
        bracket = open_brackets[-1][0]
        raise _refused(source, bracket.start, f"This {bracket.text!r} is not closed")


def _call_at(source: str, tokens: tuple[Token, ...], bracket: int) -> Call | None:
    if tokens[bracket].text != "(" or bracket == 0 or tokens[bracket - 1].kind != "name":
        return None
    name = tokens[bracket - 1]
    if name.text in MACROS:
        raise _refused(
            source,
            name.start,
            f"{name.text}() is not available; use a step with foreach, which runs an expression per item",
            "expression_not_supported",
        )
    method = bracket >= 2 and tokens[bracket - 2].text == "."
    return Call(name.text, 0, method, name)


def _refused(source: str, offset: int, detail: str, code: str | None = None) -> ExpressionRefused:
    return ExpressionRefused(f"{detail}.", code=code, position=_position(_line_starts(source), offset))


def _line_starts(source: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", source))]


def _position(line_starts: list[int], offset: int) -> Position:
    line = bisect_right(line_starts, offset)
    return Position(line, offset - line_starts[line - 1] + 1)
