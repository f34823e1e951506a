"""Conditional requests (RFC 9110, section 13): what a caller has already, and what it wants to replace.

An ETag is ``"<revision>.<digest>"``: the revision is compared by If-Match, the digest of the bytes makes the tag
strong, so that two representations of one revision (other fields, another role) never share it.
"""

from __future__ import annotations

import re
from hashlib import blake2b

from apps.common.errors import InvalidInput
from apps.common.revisions import Expected

_TAG = re.compile(r'\s*(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')


def make_etag(revision: str, body: bytes) -> str:
    """The strong ETag of ``body``, which shows a resource at ``revision``."""
    return f'"{revision}.{blake2b(body, digest_size=8).hexdigest()}"'


def matches(header: str, etag: str) -> bool:
    """Whether an If-None-Match names ``etag``, by the weak comparison that it asks for (section 13.1.2).

    A header that isn't a list of tags names nothing: the caller then gets the whole answer.
    """
    if header.strip() == "*":
        return True
    try:
        return etag.strip('"') in _tags(header)
    except InvalidInput:
        return False


def expected_revisions(header: str) -> Expected:
    """The revisions that an If-Match accepts; None for ``*``.

    A ``W/`` before a tag is ignored: a proxy that compresses an answer puts it there, and the revision is the same.
    Raises InvalidInput for a header that isn't a list of tags.
    """
    if header.strip() == "*":
        return None
    return frozenset(tag.partition(".")[0] for tag in _tags(header))


def _tags(header: str) -> list[str]:
    tags, position = [], 0
    while position < len(header):
        match = _TAG.match(header, position)
        if match is None:
            raise InvalidInput('If-Match and If-None-Match take "…" tags as they were read.', code="invalid_etag")
        tags.append(match[1])
        position = match.end()
    return tags
