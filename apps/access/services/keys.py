"""API keys: made by people, confined to scopes, rotated with an overlap, revoked at once."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.access.errors import KeyNotActive, KeysMakeNoKeys, NotYourKey
from apps.access.models import ApiKey
from apps.access.services.recognition import SEPARATOR, hash_secret
from apps.access.states import ApiKeyStatus
from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor
from apps.common.errors import FieldError, InvalidInput, NotFound
from apps.common.permissions import Grant, registry
from apps.events.services import emit_event
from apps.workspaces.errors import GrantsMoreThanHeld
from apps.workspaces.selectors.members import service_accounts_of

_PREFIX_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, with what its owner has to present: shown once, kept nowhere."""

    row: ApiKey
    presented: str


@transaction.atomic
def create_key(
    *,
    workspace: Any,
    name: str,
    scopes: Collection[str],
    actor: Actor,
    grant: Grant,
    now: datetime,
    expires_at: datetime | None = None,
    addresses: Sequence[str] = (),
    service_account_id: UUID | None = None,
) -> NewKey:
    """A key for the caller's own membership, or for a service account.

    It may do what its ``scopes`` name, as long as its member's role allows it too. ``addresses`` are CIDR blocks;
    empty means everywhere. Raises KeysMakeNoKeys, Denied, InvalidInput, GrantsMoreThanHeld.
    """
    _require_person(actor)
    codes = registry.require_known(scopes, at="/scopes")
    missing = codes - grant.codes
    if missing:
        raise GrantsMoreThanHeld(missing, what="This key")
    if expires_at is not None and expires_at <= now:
        raise InvalidInput.at("/expires_at", "in_the_past", "The key would be expired already. Choose a later time.")
    membership_id = grant.membership_id
    if service_account_id is not None:
        grant.require("service_accounts.manage")
        account = service_accounts_of(workspace.id).filter(pk=service_account_id).first()
        if account is None:
            raise InvalidInput.at("/service_account", "unknown_service_account", "There is no such service account.")
        membership_id = account.pk
    key = _insert(
        membership_id=membership_id,
        name=name,
        scopes=sorted(codes),
        addresses=_blocks(addresses),
        expires_at=expires_at,
        created_by_id=actor.user_id,
    )
    _record(workspace, key.row, actor=actor, action="api_key.create", changes=_shown(key.row), now=now)
    return key


@transaction.atomic
def rotate_key(
    *,
    workspace: Any,
    key_id: UUID,
    actor: Actor,
    grant: Grant,
    now: datetime,
    overlap: timedelta | None = None,
) -> NewKey:
    """A new key in place of an active one, which goes on working for ``overlap`` (``API_KEY_ROTATION_OVERLAP``).

    A key that expires is followed by one that lives as long as it did. Raises KeysMakeNoKeys, NotFound, NotYourKey,
    KeyNotActive, GrantsMoreThanHeld.
    """
    _require_person(actor)
    old = _lock_key(workspace, key_id, grant)
    membership: Any = old.membership
    if membership.user_id is not None and old.membership_id != grant.membership_id:
        raise NotYourKey
    missing = frozenset(old.scopes) - grant.codes
    if missing:
        raise GrantsMoreThanHeld(missing, what="This key")
    if old.status != ApiKeyStatus.ACTIVE or (old.expires_at is not None and old.expires_at <= now):
        raise KeyNotActive("This key was revoked or has expired. Make a new one.")
    if old.replaced_by_id is not None:
        raise KeyNotActive("This key was rotated already. Rotate the one that replaced it.")
    lifetime = old.expires_at - old.created_at if old.expires_at is not None else None
    new = _insert(
        membership_id=old.membership_id,
        name=old.name,
        scopes=list(old.scopes),
        addresses=list(old.addresses),
        expires_at=now + lifetime if lifetime is not None else None,
        created_by_id=actor.user_id,
    )
    ends = now + (settings.API_KEY_ROTATION_OVERLAP if overlap is None else overlap)
    old.expires_at = min(ends, old.expires_at) if old.expires_at is not None else ends
    old.replaced_by = new.row
    old.save(update_fields=["expires_at", "replaced_by", "updated_at"])
    changes = {"replaced_by": [None, new.row.prefix], "expires_at": [None, old.expires_at.isoformat()]}
    _record(workspace, old, actor=actor, action="api_key.rotate", changes=changes, now=now)
    return new


@transaction.atomic
def revoke_key(*, workspace: Any, key_id: UUID, actor: Actor, grant: Grant, now: datetime) -> None:
    """End a key: its next request is refused. Nothing happens to one that is revoked already. Raises NotFound."""
    key = _lock_key(workspace, key_id, grant)
    if key.status == ApiKeyStatus.REVOKED:
        return
    key.move_to(ApiKeyStatus.REVOKED)
    _record(workspace, key, actor=actor, action="api_key.revoke", changes={"status": ["active", "revoked"]}, now=now)


def revoke_keys_of_member(*, membership_id: UUID) -> int:
    """End the keys of somebody who has left; returns how many. Part of the transaction, and the act, of leaving."""
    keys = list(ApiKey.objects.select_for_update().of_member(membership_id).filter(status=ApiKeyStatus.ACTIVE))
    for key in keys:
        key.move_to(ApiKeyStatus.REVOKED)
    return len(keys)


@transaction.atomic
def revoke_keys_of_person(*, user_id: UUID, actor: Actor, now: datetime) -> int:
    """End every key whose secret a person knows, in whichever workspace; returns how many."""
    held = ApiKey.objects.in_the_hands_of(user_id).filter(status=ApiKeyStatus.ACTIVE).order_by("pk")
    keys = list(held.select_for_update(of=("self",)).select_related("membership__workspace"))
    for key in keys:
        membership: Any = key.membership
        key.move_to(ApiKeyStatus.REVOKED)
        changes = {"status": ["active", "revoked"]}
        _record(membership.workspace, key, actor=actor, action="api_key.revoke", changes=changes, now=now)
    return len(keys)


def _require_person(actor: Actor) -> None:
    if actor.scopes is not None or actor.user_id is None:
        raise KeysMakeNoKeys


def _blocks(addresses: Sequence[str]) -> list[str]:
    """The CIDR blocks in their canonical form (RFC 4632; RFC 4291, section 2.3); a single address is a block of one."""
    blocks, errors = [], []
    for index, text in enumerate(addresses):
        try:
            blocks.append(str(ipaddress.ip_network(text.strip(), strict=False)))
        except ValueError:
            sentence = "Give an address or a block such as 203.0.113.0/24."
            errors.append(FieldError(f"/addresses/{index}", "invalid_address", sentence))
    if errors:
        raise InvalidInput(errors=errors)
    return blocks


def _insert(**fields: Any) -> NewKey:
    prefix = "ark_" + "".join(secrets.choice(_PREFIX_LETTERS) for _ in range(12))
    secret = secrets.token_urlsafe(32)
    row = ApiKey.objects.create(prefix=prefix, secret_hash=hash_secret(secret), **fields)
    return NewKey(row=row, presented=f"{prefix}{SEPARATOR}{secret}")


def _lock_key(workspace: Any, key_id: UUID, grant: Grant) -> ApiKey:
    """The key, if the caller may see it: one's own, or anybody's for those who manage service accounts."""
    visible = ApiKey.objects.of_workspace(workspace.id)
    if not grant.allows("service_accounts.manage"):
        visible = visible.of_member(grant.membership_id)
    key = visible.select_for_update(of=("self",)).select_related("membership").filter(pk=key_id).first()
    if key is None:
        raise NotFound
    return key


def _shown(key: ApiKey) -> dict[str, Any]:
    return {
        "scopes": [None, list(key.scopes)],
        "addresses": [None, list(key.addresses)],
        "expires_at": [None, key.expires_at.isoformat() if key.expires_at else None],
    }


def _record(workspace: Any, key: ApiKey, *, actor: Actor, action: str, changes: dict[str, Any], now: datetime) -> None:
    record_act_in(
        workspace,
        actor=actor,
        action=action,
        target=Target(kind="api_key", id=str(key.pk), name=f"{key.name} ({key.prefix})"),
        changes=changes,
        now=now,
    )
    emit_event(
        type="api_key.changed",
        workspace_id=workspace.id,
        data={"api_key": str(key.pk), "prefix": key.prefix, "change": action.partition(".")[2]},
        now=now,
    )
