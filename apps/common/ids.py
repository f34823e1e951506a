"""Identifiers: UUIDv7 (RFC 9562, section 5.7), so that rows made after one another lie beside one another."""

from __future__ import annotations

from uuid import UUID

import uuid_utils.compat


def new_id() -> UUID:
    """A new UUIDv7."""
    return uuid_utils.compat.uuid7()


def parse_id(text: str) -> UUID | None:
    """The UUID that ``text`` spells in its canonical form or without hyphens, else None."""
    if len(text) not in (32, 36):
        return None
    try:
        return UUID(text)
    except ValueError:
        return None
