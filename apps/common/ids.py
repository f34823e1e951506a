"""Identifiers: UUIDv7 (RFC 9562, section 5.7), so that rows made after one another lie beside one another."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import uuid_utils.compat


def new_id() -> UUID:
    """A new UUIDv7."""
    return uuid_utils.compat.uuid7()


def first_id_at(moment: datetime) -> UUID:
    """The least UUIDv7 of this millisecond: ids that were made earlier are less."""
    return UUID(int=int(moment.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62)


def parse_id(text: str) -> UUID | None:
    """The UUID that ``text`` spells in its canonical form or without hyphens, else None."""
    if len(text) not in (32, 36):
        return None
    try:
        return UUID(text)
    except ValueError:
        return None
