"""Slugs: DNS labels (RFC 1035, section 2.3.1, with RFC 1123's leading digits) that people can type."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Container

from apps.common.errors import InvalidInput
from apps.common.ids import parse_id

SLUG_PATTERN = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_SLUG = re.compile(SLUG_PATTERN)

#: First segments of our own addresses, and names that would mislead.
RESERVED = frozenset(
    "accounts admin api apps auth assets billing console docs domains edge files health healthz help hijack hooks "
    "invitations login logout mail me metrics new null operations platform readyz robots root runtime schema search "
    "security session settings signup static status support system templates undefined uploads www well-known "
    "workspace workspaces ws from-ai from-workflow from-template import".split()
)


def check_slug(slug: str, *, pointer: str = "/slug", reserved: Container[str] = RESERVED) -> str:
    """``slug`` itself. Raises InvalidInput when it isn't a DNS label, has the form of a UUID, or is ``reserved``."""
    if not _SLUG.fullmatch(slug):
        raise InvalidInput.at(
            pointer,
            "invalid_slug",
            "Use 1 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends.",
        )
    if slug in reserved or slug.startswith("xn--"):
        raise InvalidInput.at(pointer, "reserved_slug", "This word is reserved. Choose another one.")
    if parse_id(slug) is not None:
        raise InvalidInput.at(pointer, "reserved_slug", "A slug can't have the form of an id. Choose another one.")
    return slug


def make_slug(name: str, *, fallback: str, reserved: Container[str] = RESERVED) -> str:
    """A usable slug for ``name``: its letters without accents; for a name in another script, ``fallback-<digest>``."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", folded).strip("-")[:50].strip("-")
    if not words:
        words = f"{fallback}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    if words in reserved or words.startswith("xn--") or parse_id(words) is not None:
        words = f"{fallback}-{words}"[:63].strip("-")
    return words
