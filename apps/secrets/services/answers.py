"""Kept API answers that bear a secret (``apps.common.api.idempotency``), sealed for their record."""

from __future__ import annotations

from apps.secrets.errors import SealBroken
from apps.secrets.services.envelopes import open_value, seal_value
from apps.secrets.services.fields import Each

_MODEL, _FIELD = "common.IdempotencyRecord", "body"


def seal_answer(body: bytes, record_id: str) -> bytes:
    """An answer's body, sealed for the record that keeps it."""
    return seal_value(body, model=_MODEL, key=record_id, field=_FIELD).encode()


def open_answer(sealed: bytes, record_id: str) -> bytes:
    """What ``seal_answer`` was given."""
    return open_value(sealed.decode(), model=_MODEL, key=record_id, field=_FIELD)


def visit_answer(body: bytes | memoryview, record_id: str, each: Each) -> bytes:
    """For rotations: a sealed body with its envelope given to ``each``."""
    try:
        envelope = bytes(body).decode("ascii")
    except UnicodeDecodeError as error:
        raise SealBroken("This is not an envelope.") from error
    return each(envelope, model=_MODEL, key=record_id, field=_FIELD).encode()
