"""Finds what would run in a browser if a page's Markdown were shown carelessly.

Pages show HTML in Markdown as text (``apps.runtime.pages.markdown``), so nothing here could run. Whoever wrote it
expects that it does, or hopes so: both are told when they save, not left to find out. Code spans and fenced blocks are
text that people read, and may show any script.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import unescape

from markdown_it import MarkdownIt
from markdown_it.token import Token

_ACTIVE_TAG = re.compile(
    r"</?\s*(script|style|iframe|frame|object|embed|applet|form|base|meta|link|svg|math|template)\b", re.IGNORECASE
)
_EVENT_HANDLER = re.compile(r"<[a-z][^<>]*?[\s/\"'](on[a-z]{3,20})\s*=", re.IGNORECASE)
_ACTIVE_SCHEME = re.compile(r"(javascript|vbscript|data)\s*:", re.IGNORECASE)
_SUSPECT = re.compile(
    rf"{_ACTIVE_TAG.pattern}|\bon[a-z]{{3,20}}\s*=|[(<\"'=:]\s*{_ACTIVE_SCHEME.pattern}", re.IGNORECASE
)
_INVISIBLE = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028\u2029\ufeff]+")
_INVISIBLE_INSIDE = re.compile(r"(?<=\w)[\x00-\x1f\u200b-\u200f\u2028\u2029\ufeff]+(?=[\w:])")

MAX_PARSED = 32_768
"""Characters of a page that are parsed to tell code from script, at 10 microseconds each at worst."""


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True, "maxNesting": 20}).enable(["table", "strikethrough"])
    parser.disable("image")  # as where pages are shown: a picture is a link behind an exclamation mark
    # The parser's own check turns a link with a dangerous address into text; here it has to be seen.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    return parser


_PARSER = _parser()


def find_scripts(sources: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The sources that hold script: their index, and what it is in a word (``<script>``, ``onclick``, ``javascript:``).

    Code is told from script as far as ``MAX_PARSED`` reaches; beyond it, whatever looks like script counts as such.
    """
    left = MAX_PARSED
    for index, source in enumerate(sources):
        suspect = _suspect(source)
        if suspect is None:
            continue
        left -= len(source)
        word = suspect if left < 0 else _find_script(source)
        if word is not None:
            yield index, word


def _suspect(source: str) -> str | None:
    readable = unescape(source)
    match = _SUSPECT.search(readable) or _SUSPECT.search(_INVISIBLE_INSIDE.sub("", readable))
    return match[0].strip()[:40] if match else None


def _find_script(source: str) -> str | None:
    return next((found for token in _flat(_PARSER.parse(source)) if (found := _active(token))), None)


def _flat(tokens: Iterable[Token]) -> Iterable[Token]:
    for token in tokens:
        yield token
        yield from token.children or ()


def _active(token: Token) -> str | None:
    if token.type in {"html_block", "html_inline"}:
        if tag := _ACTIVE_TAG.search(token.content):
            return f"<{tag[1].lower()}>"
        if handler := _EVENT_HANDLER.search(token.content):
            return handler[1].lower()
        return _scheme(token.content, anywhere=True)
    if token.type == "link_open":
        return _scheme(str(token.attrGet("href") or ""))
    return None


def _scheme(address: str, *, anywhere: bool = False) -> str | None:
    plain = _INVISIBLE.sub("", unescape(address))
    match = _ACTIVE_SCHEME.search(plain) if anywhere else _ACTIVE_SCHEME.match(plain)
    return f"{match[1].lower()}:" if match else None
