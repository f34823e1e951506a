"""Who may visit an app: checked, changed, and never opened to strangers by someone who may not decide that."""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import transaction

from apps.applications.errors import AppNotFound, MayNotExpose
from apps.applications.models import AccessPolicy
from apps.applications.services.records import record
from apps.common.actors import Actor
from apps.common.errors import FieldError, InvalidInput
from apps.common.permissions import GrantedWorkspace
from apps.common.revisions import Expected, require_revision, update_revision
from apps.workspaces.selectors.memberships import role_codes_in

Audience = AccessPolicy.Audience

#: Audiences of which nobody knows who they are.
ANONYMOUS = frozenset({Audience.PUBLIC, Audience.PASSWORD, Audience.LINK})

MAX_ADDRESSES = 100
MAX_ORIGINS = 20
_TOKEN_BYTES = 24
_ORIGIN = re.compile(r"https?://(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9-]{1,63}(?::[0-9]{1,5})?")
_LIMITS = {
    "visitor_limit": (1, 100_000, "requests a minute"),
    "app_limit": (1, 10_000_000, "requests a minute"),
    "session_seconds": (60, 30 * 86_400, "seconds"),
}
_STORED = ("audience", "roles", "password_hash", "link_token", "frame_ancestors", "addresses", *_LIMITS)
_PLAIN = ("audience", "roles", "frame_ancestors", "addresses", *_LIMITS)


def is_anonymous(audience: str) -> bool:
    """Whether visitors get in without anybody knowing who they are."""
    return audience in ANONYMOUS


def change_access_policy(
    *,
    app_id: UUID,
    workspace: GrantedWorkspace,
    actor: Actor,
    changes: Mapping[str, Any],
    may_expose: bool,
    expected: Expected,
    now: datetime,
) -> AccessPolicy:
    """The app's policy with these changes; valid from the next request on, one revision further.

    ``changes`` may name every field of the policy, ``password`` (None clears it) and ``rotate_link`` (True makes a new
    link token; whoever has the old one is out). The audience ``link`` gets a token when it has none, and loses it when
    the audience becomes another one.
    Raises MayNotExpose for an audience that lets anonymous visitors in, or for letting them in from more addresses,
    without the right to; StaleRevision when the
    policy isn't at an ``expected`` revision; InvalidInput; AppNotFound.
    """
    cleaned = _checked(changes, workspace)
    with transaction.atomic():
        policy = _lock_policy(app_id)
        require_revision(policy, expected)
        before = _visible(policy)
        _apply(policy, cleaned)
        opens = policy.audience != before["audience"] or _reach_further(policy.addresses, before["addresses"])
        if opens and is_anonymous(policy.audience) and not may_expose:
            raise MayNotExpose
        different = {name: [before[name], value] for name, value in _visible(policy).items() if before[name] != value}
        if not different:
            return policy
        update_revision(policy, expected, now=now, **{name: getattr(policy, name) for name in _STORED})
        record(
            workspace=workspace,
            app=policy.app,
            actor=actor,
            action="app.access.change",
            now=now,
            changes=different,
            event="app.access_changed",
            data={"audience": policy.audience, "revision": policy.revision},
        )
    return policy


def _lock_policy(app_id: UUID) -> AccessPolicy:
    locked = AccessPolicy.objects.select_for_update(of=("self",)).select_related("app").defer("app__draft")
    policy: AccessPolicy | None = locked.filter(app=app_id).first()
    if policy is None:
        raise AppNotFound
    return policy


def _visible(policy: AccessPolicy) -> dict[str, Any]:
    """What a change is told by; of secrets only enough to see that they changed (the trail masks them)."""
    return {
        **{name: getattr(policy, name) for name in _PLAIN},
        "password": policy.password_hash,
        "link_token": policy.link_token,
    }


def _apply(policy: AccessPolicy, changes: Mapping[str, Any]) -> None:
    for name in _PLAIN:
        if name in changes:
            setattr(policy, name, changes[name])
    if "password" in changes:
        policy.password_hash = make_password(changes["password"]) if changes["password"] else ""
    if policy.audience == Audience.PASSWORD and not policy.password_hash:
        raise InvalidInput.at("/password", "required", "The audience password needs a password. Set one with it.")
    if policy.audience != Audience.LINK:
        if changes.get("rotate_link"):
            raise InvalidInput.at("/rotate_link", "no_link", "Only the audience link has a link.")
        policy.link_token = ""
    elif changes.get("rotate_link") or not policy.link_token:
        policy.link_token = secrets.token_urlsafe(_TOKEN_BYTES)


def policy_errors(given: Mapping[str, Any]) -> list[FieldError]:
    """What is wrong with limits, addresses and sites that a policy is to have."""
    return _cleaned(given)[1]


def _checked(changes: Mapping[str, Any], workspace: GrantedWorkspace) -> dict[str, Any]:
    cleaned, errors = _cleaned(changes)
    if cleaned.get("roles"):
        known = role_codes_in(workspace.id)
        cleaned["roles"] = list(dict.fromkeys(cleaned["roles"]))
        for index, code in enumerate(cleaned["roles"]):
            if code not in known:
                listed = ", ".join(sorted(known))
                errors.append(
                    FieldError(f"/roles/{index}", "unknown_role", f"There is no such role; there are {listed}.")
                )
    if errors:
        raise InvalidInput(errors=errors)
    return cleaned


def _cleaned(changes: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
    cleaned = dict(changes)
    errors: list[FieldError] = []
    for name, (least, most, unit) in _LIMITS.items():
        if name in cleaned and not least <= cleaned[name] <= most:
            errors.append(FieldError(f"/{name}", "out_of_range", f"Choose {least:,} to {most:,} {unit}."))
    if "addresses" in cleaned:
        cleaned["addresses"] = _checked_list("addresses", cleaned["addresses"], _network, MAX_ADDRESSES, errors)
    if "frame_ancestors" in cleaned:
        cleaned["frame_ancestors"] = _checked_list(
            "frame_ancestors", cleaned["frame_ancestors"], _origin, MAX_ORIGINS, errors
        )
    return cleaned, errors


def _reach_further(addresses: list[str], before: list[str]) -> bool:
    """Whether a list of addresses lets somebody in whom the one before it kept out."""
    if not before:
        return False
    known = [ipaddress.ip_network(block) for block in before]
    wanted = [ipaddress.ip_network(block) for block in addresses]
    return not wanted or any(not any(_is_within(block, outer) for outer in known) for block in wanted)


def _is_within(block: Any, outer: Any) -> bool:
    return block.version == outer.version and bool(block.subnet_of(outer))


def _checked_list(name: str, given: list[str], check: Any, most: int, errors: list[FieldError]) -> list[str]:
    if len(given) > most:
        errors.append(FieldError(f"/{name}", "too_many", f"At most {most} are possible."))
        return []
    found: list[str] = []
    for index, text in enumerate(given):
        try:
            found.append(check(text.strip()))
        except ValueError as error:
            errors.append(FieldError(f"/{name}/{index}", f"invalid_{name}", str(error)))
    return list(dict.fromkeys(found))


def _network(text: str) -> str:
    """An address or block (RFC 4632, RFC 4291) in its usual form. Raises ValueError with a sentence."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError("Write an address or a block of addresses, such as 192.0.2.0/24 or 2001:db8::/32.") from None
    raise ValueError(f"This block has bits set beyond its length; {meant} is meant, perhaps.")


def _origin(text: str) -> str:
    """A source of ``frame-ancestors`` (CSP level 3, section 6.4.2). Raises ValueError with a sentence."""
    lowered = text.lower().rstrip("/")
    if lowered in {"'self'", "self"}:
        return "'self'"
    if not _ORIGIN.fullmatch(lowered):
        raise ValueError("Write an origin, such as https://example.org or https://*.example.org, without a path.")
    return lowered
