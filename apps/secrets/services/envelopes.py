"""Sealed values: AES-256-GCM envelopes (NIST SP 800-38D), bound to the row and field that they belong to.

An envelope is ``v1.<key id>.<wrapped data key>.<sealed value>``, the last two URL-safe base64 of a 12-byte nonce and
the ciphertext. Each value has a data key of its own; only that is encrypted with the key-encryption key, so that
rotating the latter re-wraps a few bytes per value.
"""

from __future__ import annotations

import base64
import json
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.secrets.errors import SealBroken
from apps.secrets.services.keys import active_key, active_key_id, key_named

_VERSION = "v1"
_NONCE_BYTES = 12


def seal_value(plaintext: bytes, *, model: str, key: str, field: str) -> str:
    """An envelope around ``plaintext`` that opens for this ``model``, row ``key`` and ``field`` only.

    Raises ImproperlyConfigured when there is no key-encryption key.
    """
    key_id, wrapping_key = active_key()
    data_key = AESGCM.generate_key(bit_length=256)
    bound_to = binding(model, key, field)
    return _envelope(key_id, _encrypt(wrapping_key, data_key, bound_to), _encrypt(data_key, plaintext, bound_to))


def open_value(envelope: str, *, model: str, key: str, field: str) -> bytes:
    """What ``seal_value`` was given. Raises KeyMissing, or SealBroken for an envelope that isn't this field's."""
    key_id, wrapped, sealed = _parts(envelope)
    bound_to = binding(model, key, field)
    return _decrypt(_decrypt(key_named(key_id), wrapped, bound_to), sealed, bound_to)


def rewrap_value(envelope: str, *, model: str, key: str, field: str) -> str:
    """The same sealed value under the present key-encryption key: what a rotation does to every stored envelope.

    Only the data key is encrypted anew; the value stays sealed all the while. Returns the envelope as it is when the
    present key made it. Raises KeyMissing, or SealBroken for an envelope that isn't this field's.
    """
    key_id, wrapped, sealed = _parts(envelope)
    if key_id == active_key_id():
        return envelope
    bound_to = binding(model, key, field)
    data_key = _decrypt(key_named(key_id), wrapped, bound_to)
    new_id, new_key = active_key()
    return _envelope(new_id, _encrypt(new_key, data_key, bound_to), sealed)


def key_of(envelope: str) -> str:
    """The id of the key-encryption key that an envelope needs. Raises SealBroken for what is no envelope."""
    return _parts(envelope)[0]


def beginning_under(key_id: str) -> str:
    """How every envelope begins that needs this key-encryption key."""
    return f"{_VERSION}.{key_id}."


def binding(model: str, key: str, field: str) -> bytes:
    """What a sealed value is bound to, as associated data: JSON, so that no two triples make the same bytes."""
    return json.dumps([model, key, field]).encode()


def _envelope(key_id: str, wrapped: str, sealed: str) -> str:
    return ".".join([_VERSION, key_id, wrapped, sealed])


def _parts(envelope: str) -> tuple[str, str, str]:
    try:
        version, key_id, wrapped, sealed = envelope.split(".")
    except ValueError as error:
        raise SealBroken("This is not an envelope.") from error
    if version != _VERSION:
        raise SealBroken(f"Envelopes of version {version} are unknown.")
    return key_id, wrapped, sealed


def _encrypt(key: bytes, plaintext: bytes, bound_to: bytes) -> str:
    nonce = os.urandom(_NONCE_BYTES)
    return base64.urlsafe_b64encode(nonce + AESGCM(key).encrypt(nonce, plaintext, bound_to)).decode()


def _decrypt(key: bytes, encoded: str, bound_to: bytes) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(encoded)
        return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError) as error:
        raise SealBroken("A sealed value was changed, or belongs elsewhere.") from error
