"""Recognising a program by its key: on the way of every request that comes with one."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.access.errors import AddressNotAllowed, KeyNotValid
from apps.access.models import ApiKey
from apps.access.selectors.grants import KeyActor
from apps.common.actors import ActorKind
from apps.common.compiled import CompiledSelect

SEPARATOR = "."

_usable_key: CompiledSelect[ApiKey] = CompiledSelect(
    lambda prefix: ApiKey.objects.usable().filter(prefix=prefix).order_by(), prefix=str
)


@dataclass(frozen=True, slots=True)
class KeyPrincipal:
    """Whom a request with a key comes from: what Django's ``request.user`` is for a person."""

    key: ApiKey

    is_authenticated = True
    is_anonymous = False
    is_active = True
    is_staff = False

    @property
    def pk(self) -> UUID:
        return self.key.pk

    def get_full_name(self) -> str:
        return self.key.name

    def as_actor(self, *, request_id: str, address: str) -> KeyActor:
        """A member's key acts as itself, for its member; a service account's key is the service account."""
        membership: Any = self.key.membership
        is_person = membership.user_id is not None
        return KeyActor(
            kind=ActorKind.API_KEY if is_person else ActorKind.SERVICE_ACCOUNT,
            id=self.key.pk if is_person else membership.pk,
            name=self.key.name if is_person else membership.service_account_name,
            user_id=membership.user_id,
            request_id=request_id,
            address=address,
            scopes=frozenset(self.key.scopes),
            membership=membership,
        )


def recognise_key(*, presented: str, address: str, now: datetime) -> KeyPrincipal:
    """The program that presents ``prefix.secret`` from ``address``, in one query, so that nothing is older than it.

    Its last use is noted, at most once in ``API_KEY_LAST_USED_INTERVAL``. Raises KeyNotValid unless the key, its
    member and the member's account hold at ``now``, AddressNotAllowed for a good key at a wrong place.
    """
    prefix, _, secret = presented.partition(SEPARATOR)
    if not prefix or not secret or "\x00" in presented:
        raise KeyNotValid
    key = _usable_key.first(prefix=prefix)
    if key is None or not hmac.compare_digest(key.secret_hash, hash_secret(secret)):
        raise KeyNotValid
    if key.expires_at is not None and key.expires_at <= now:
        raise KeyNotValid
    if key.addresses and not _is_within(address, key.addresses):
        raise AddressNotAllowed
    _note_use(key, now)
    return KeyPrincipal(key)


def hash_secret(secret: str) -> str:
    """What is kept of a secret: its SHA-256. It has 256 random bits, so a slow hash would protect nothing."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _is_within(address: str, blocks: Iterable[str]) -> bool:
    try:
        here = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(here, "ipv4_mapped", None)
    return any((mapped or here) in ipaddress.ip_network(block) for block in blocks)


def _note_use(key: ApiKey, now: datetime) -> None:
    due = now - settings.API_KEY_LAST_USED_INTERVAL
    if key.last_used_at is None or key.last_used_at <= due:
        ApiKey.objects.filter(pk=key.pk).unseen_since(due).update(last_used_at=now)
