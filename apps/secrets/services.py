"""Sealed values: AES-256-GCM envelopes (NIST SP 800-38D), bound to the row and field that they belong to.

An envelope is ``v1.<key id>.<wrapped data key>.<sealed value>``, the last two URL-safe base64 of a 12-byte nonce and
the ciphertext. Each value has a data key of its own; only that is encrypted with the key-encryption key, so that
rotating the latter re-wraps a few bytes per value. Key-encryption keys come from the environment or a file, never from
the database.
"""

from __future__ import annotations

import base64
import json
import os
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.secrets.errors import KeyMissing, SealBroken

_VERSION = "v1"
_KEY_BYTES = 32
_NONCE_BYTES = 12


def seal_value(plaintext: bytes, *, model: str, key: str, field: str) -> str:
    """An envelope around ``plaintext`` that opens for this ``model``, row ``key`` and ``field`` only.

    Raises ImproperlyConfigured when there is no key-encryption key.
    """
    key_id, wrapping_key = _active_key()
    data_key = AESGCM.generate_key(bit_length=256)
    bound_to = _binding(model, key, field)
    return ".".join(
        [
            _VERSION,
            key_id,
            _encrypt(wrapping_key, data_key, bound_to),
            _encrypt(data_key, plaintext, bound_to),
        ]
    )


def open_value(envelope: str, *, model: str, key: str, field: str) -> bytes:
    """What ``seal_value`` was given. Raises KeyMissing, or SealBroken for an envelope that isn't this field's."""
    key_id, wrapped, sealed = _parts(envelope)
    wrapping_key = _keys().get(key_id)
    if wrapping_key is None:
        raise KeyMissing
    bound_to = _binding(model, key, field)
    return _decrypt(_decrypt(wrapping_key, wrapped, bound_to), sealed, bound_to)


def rewrap_value(envelope: str, *, model: str, key: str, field: str) -> str:
    """The same sealed value under the present key-encryption key: what a rotation does to every stored envelope.

    Returns the envelope as it is when the present key made it. Raises like ``open_value``.
    """
    if key_of(envelope) == active_key_id():
        return envelope
    return seal_value(open_value(envelope, model=model, key=key, field=field), model=model, key=key, field=field)


def key_of(envelope: str) -> str:
    """The id of the key-encryption key that an envelope needs. Raises SealBroken for what is no envelope."""
    return _parts(envelope)[0]


def active_key_id() -> str:
    """The id of the key-encryption key that seals now: the first in the settings."""
    return _active_key()[0]


def configured_keys() -> dict[str, bytes]:
    """All key-encryption keys by id, the sealing one first. Raises ImproperlyConfigured, or OSError for their file."""
    return _keys()


def seal_answer(body: bytes, record_id: str) -> bytes:
    """A kept API answer that bears a secret (``apps.common.api.idempotency``), sealed for its record."""
    return seal_value(body, model="common.IdempotencyRecord", key=record_id, field="body").encode()


def open_answer(sealed: bytes, record_id: str) -> bytes:
    """What ``seal_answer`` was given."""
    return open_value(sealed.decode(), model="common.IdempotencyRecord", key=record_id, field="body")


def _parts(envelope: str) -> tuple[str, str, str]:
    try:
        version, key_id, wrapped, sealed = envelope.split(".")
    except ValueError as error:
        raise SealBroken("This is not an envelope.") from error
    if version != _VERSION:
        raise SealBroken(f"Envelopes of version {version} are unknown.")
    return key_id, wrapped, sealed


def _binding(model: str, key: str, field: str) -> bytes:
    # As JSON, so that no two different triples make the same bytes.
    return json.dumps([model, key, field]).encode()


def _encrypt(key: bytes, plaintext: bytes, bound_to: bytes) -> str:
    nonce = os.urandom(_NONCE_BYTES)
    return base64.urlsafe_b64encode(nonce + AESGCM(key).encrypt(nonce, plaintext, bound_to)).decode()


def _decrypt(key: bytes, encoded: str, bound_to: bytes) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(encoded)
        return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError) as error:
        raise SealBroken("A sealed value was changed, or belongs elsewhere.") from error


def _keys() -> dict[str, bytes]:
    return _parse_keys(tuple(settings.SECRETS_KEYS), settings.SECRETS_KEYS_FILE)


def _active_key() -> tuple[str, bytes]:
    return next(iter(_keys().items()))


@lru_cache(maxsize=8)
def _parse_keys(listed: tuple[str, ...], path: str) -> dict[str, bytes]:
    lines = list(listed)
    if path:
        lines += [line.strip() for line in Path(path).read_text().splitlines() if line.strip()]
    keys: dict[str, bytes] = {}
    for line in lines:
        key_id, _, encoded = line.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError as error:
            raise ImproperlyConfigured(f"SECRETS_KEYS: the key {key_id!r} is not base64.") from error
        if key_id in keys:
            raise ImproperlyConfigured(f"SECRETS_KEYS: the id {key_id!r} is there twice.")
        if len(key) != _KEY_BYTES or not key_id or "." in key_id:
            raise ImproperlyConfigured(
                f"SECRETS_KEYS: {key_id!r} must be `id:base64` with {_KEY_BYTES} bytes, and an id without dots."
            )
        keys[key_id] = key
    if not keys:
        raise ImproperlyConfigured("Set SECRETS_KEYS or SECRETS_KEYS_FILE: sealed values need a key.")
    return keys
