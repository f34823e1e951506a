"""`manage.py check`: the key-encryption keys are there, well formed, and not the ones that the repository shows."""

from __future__ import annotations

import hashlib
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

from apps.secrets.services import configured_keys

#: SHA-256 of the keys that stand in the settings of `make run` and of the tests: everyone knows them.
_PUBLISHED = frozenset(
    {
        hashlib.sha256(b"local-only-not-for-production!!!").hexdigest(),
        hashlib.sha256(b"test-only-not-for-production--!!").hexdigest(),
    }
)


@register(Tags.security)
def check_keys(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """secrets.E001: no usable key."""
    try:
        configured_keys()
    except (ImproperlyConfigured, OSError) as error:
        return [
            Error(
                f"Sealed values can't be written or read: {error}",
                hint="Set SECRETS_KEYS to `id:key`, the key being 32 random bytes in base64 "
                "(`openssl rand -base64 32`), or name a file of such lines in SECRETS_KEYS_FILE.",
                id="secrets.E001",
            )
        ]
    return []


@register(Tags.security, deploy=True)
def check_keys_are_own(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """secrets.W001: a deployment that uses a key which the repository shows."""
    try:
        keys = configured_keys()
    except (ImproperlyConfigured, OSError):
        return []
    published = [key_id for key_id, key in keys.items() if hashlib.sha256(key).hexdigest() in _PUBLISHED]
    return [
        checks.Warning(
            f"The key {key_id!r} in SECRETS_KEYS is published with the source.",
            hint="Make one of your own: `openssl rand -base64 32`.",
            id="secrets.W001",
        )
        for key_id in published
    ]
