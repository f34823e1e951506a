"""Key-encryption keys: from the environment or a file, never from the database."""

from __future__ import annotations

import base64
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.secrets.errors import KeyMissing

_KEY_BYTES = 32


def active_key_id() -> str:
    """The id of the key-encryption key that seals now: the first in the settings."""
    return active_key()[0]


def active_key() -> tuple[str, bytes]:
    """The key-encryption key that seals now, and its id. Raises ImproperlyConfigured when there is none."""
    return next(iter(configured_keys().items()))


def key_named(key_id: str) -> bytes:
    """The key-encryption key with this id. Raises KeyMissing."""
    key = configured_keys().get(key_id)
    if key is None:
        raise KeyMissing(
            f"A stored secret can't be opened: its key {key_id!r} is not configured. "
            "Ask the operator to restore it in SECRETS_KEYS."
        )
    return key


def configured_keys() -> dict[str, bytes]:
    """All key-encryption keys by id, the sealing one first. Raises ImproperlyConfigured, or OSError for their file."""
    return _parse_keys(tuple(settings.SECRETS_KEYS), settings.SECRETS_KEYS_FILE)


@lru_cache(maxsize=8)
def _parse_keys(listed: tuple[str, ...], path: str) -> dict[str, bytes]:
    lines = list(listed)
    if path:
        lines += [line.strip() for line in Path(path).read_text().splitlines() if line.strip()]
    keys: dict[str, bytes] = {}
    for number, line in enumerate(lines, start=1):
        key_id, _, encoded = line.partition(":")
        # This is printed and logged, and of a malformed line any part can be the key: it is named by its place.
        named = f"SECRETS_KEYS: number {number}"
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError as error:
            raise ImproperlyConfigured(f"{named} is not base64 behind its id.") from error
        if len(key) != _KEY_BYTES or not key_id or "." in key_id:
            raise ImproperlyConfigured(f"{named} must be `id:base64` with {_KEY_BYTES} bytes, and an id without dots.")
        if key_id in keys:
            raise ImproperlyConfigured(f"SECRETS_KEYS: the id {key_id!r} is there twice.")
        keys[key_id] = key
    if not keys:
        raise ImproperlyConfigured("Set SECRETS_KEYS or SECRETS_KEYS_FILE: sealed values need a key.")
    return keys
