"""Kept API answers that bear a secret (``apps.common.api.idempotency``), sealed for their record."""

from __future__ import annotations

from apps.secrets.services.envelopes import open_value, seal_value

_MODEL, _FIELD = "common.IdempotencyRecord", "body"


def seal_answer(body: bytes, record_id: str) -> bytes:
    """An answer's body, sealed for the record that keeps it."""
    return seal_value(body, model=_MODEL, key=record_id, field=_FIELD).encode()


def open_answer(sealed: bytes, record_id: str) -> bytes:
    """What ``seal_answer`` was given."""
    return open_value(sealed.decode(), model=_MODEL, key=record_id, field=_FIELD)
