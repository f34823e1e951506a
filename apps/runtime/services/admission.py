"""Whether a visitor may open an app: one pure decision, by policy."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from apps.applications.selectors import VisitPolicy
from apps.runtime.errors import (
    AddressNotAllowed,
    LinkRequired,
    NoSuchApp,
    PasswordRequired,
    RoleNotAllowed,
    SignInRequired,
)
from apps.runtime.services.visits import Visit, grant_mark

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks. ``person`` is the signed-in user, ``caller`` names a key or token, ``role`` is theirs in the workspace.

    ``is_member`` also holds for API keys of the workspace.
    """

    address: str
    person: UUID | None = None
    caller: str = ""
    role: str = ""
    is_member: bool = False

    @property
    def is_known(self) -> bool:
        """Whether somebody is signed in, or a program said who it is."""
        return self.person is not None or bool(self.caller)


def admit(policy: VisitPolicy, visitor: Visitor, visit: Visit | None) -> None:
    """Raise unless the policy lets this visitor in.

    AddressNotAllowed; SignInRequired (nobody); NoSuchApp (somebody who isn't a member: nothing is learned);
    RoleNotAllowed; PasswordRequired; LinkRequired.
    """
    if policy.addresses and not _is_listed(policy.addresses, visitor.address):
        raise AddressNotAllowed
    if policy.audience == "public":
        return
    if policy.audience == "members":
        _admit_member(policy, visitor)
    elif policy.audience == "signed_in":
        if visitor.person is None:
            raise SignInRequired
    elif visit is None or visit.grant != grant_mark(policy):
        raise PasswordRequired if policy.audience == "password" else LinkRequired


def _admit_member(policy: VisitPolicy, visitor: Visitor) -> None:
    if not visitor.is_known:
        raise SignInRequired
    if not visitor.is_member:
        raise NoSuchApp
    if policy.roles and visitor.role not in policy.roles:
        raise RoleNotAllowed


@lru_cache(maxsize=1024)
def _networks(listed: tuple[str, ...]) -> tuple[_Network, ...]:
    return tuple(ipaddress.ip_network(each, strict=False) for each in listed)


def _is_listed(listed: tuple[str, ...], address: str) -> bool:
    try:
        candidate = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(candidate, ipaddress.IPv6Address) and candidate.ipv4_mapped:
        candidate = candidate.ipv4_mapped
    return any(candidate in network for network in _networks(listed))
