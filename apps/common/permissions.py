"""The permission codes that apps declare, and the question who holds them where.

Lower apps can't import the one that answers (``access``), so it registers itself here when it is ready.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from apps.common.actors import Actor
from apps.common.errors import Denied, FieldError, InvalidInput
from apps.common.tenancy import HasSchema

#: The built-in roles, from the one that may do everything to the one that may look.
BUILT_IN_ROLES = ("owner", "admin", "developer", "operator", "viewer")


@dataclass(frozen=True, slots=True)
class PermissionCode:
    """A thing that a member may be allowed to do. ``roles`` are the built-in roles that hold it; owner always does."""

    code: str
    description: str
    roles: frozenset[str]


class PermissionRegistry:
    """All codes, each declared by the app that owns it, in ``AppConfig.ready``."""

    def __init__(self) -> None:
        self._codes: dict[str, PermissionCode] = {}

    def declare(self, code: str, description: str, *, roles: Iterable[str] = ()) -> None:
        """Add a code. Raises ValueError for a second declaration or an unknown role."""
        unknown = set(roles) - set(BUILT_IN_ROLES)
        if unknown or code in self._codes:
            raise ValueError(f"{code}: {'unknown roles ' + str(unknown) if unknown else 'declared twice'}")
        self._codes[code] = PermissionCode(code, description, frozenset({"owner", *roles}))

    def __contains__(self, code: str) -> bool:
        return code in self._codes

    def require_known(self, codes: Collection[str], *, at: str) -> frozenset[str]:
        """The codes. Raises InvalidInput, which points to each that nobody declared below ``at``."""
        errors = [
            FieldError(f"{at}/{index}", "unknown_permission", "There is no such permission. See /permissions.")
            for index, code in enumerate(codes)
            if code not in self
        ]
        if errors:
            raise InvalidInput(errors=errors)
        return frozenset(codes)

    def all(self) -> list[PermissionCode]:
        return sorted(self._codes.values(), key=lambda declared: declared.code)

    def codes_of(self, role: str) -> frozenset[str]:
        """The codes that a built-in role holds."""
        return frozenset(declared.code for declared in self._codes.values() if role in declared.roles)


registry = PermissionRegistry()
declare = registry.declare


class GrantedWorkspace(HasSchema, Protocol):
    """What a grant tells of its workspace."""

    @property
    def id(self) -> UUID: ...
    @property
    def slug(self) -> str: ...
    @property
    def status(self) -> str: ...


#: ``Grant.source`` of an operator who visits a workspace by office, and says why.
VISIT = "visit"


@dataclass(frozen=True, slots=True)
class Grant:
    """What one caller may do in one workspace at this moment."""

    workspace: Any
    codes: frozenset[str]
    role: str
    membership_id: UUID | None
    #: What confined the codes, for the decision that explains a refusal: ``role``, ``scope`` or ``visit``.
    source: str = "role"

    def allows(self, code: str) -> bool:
        return code in self.codes

    def require(self, code: str) -> None:
        """Raise Denied, naming the permission, unless the caller holds it here."""
        if code not in self.codes:
            raise Denied(f"This needs the permission {code}, which you don't have here.", permission=code)


def operator_grant(workspace: Any) -> Grant:
    """What an operator may do from the platform's console: all of it; each act is audited as theirs."""
    return Grant(
        workspace=workspace, codes=registry.codes_of("owner"), role="platform", membership_id=None, source="platform"
    )


class PermissionResolver(Protocol):
    """The app ``access`` answers these two questions."""

    def grant_for(self, actor: Actor, workspace_ref: str) -> Grant | None:
        """The caller's grant in the workspace with this id or slug; None for those who aren't members of it."""
        ...

    def record_refusal(
        self, *, actor: Actor, code: str, action: str, target: str, grant: Grant | None, reason: str, status: int
    ) -> str:
        """Keep why this was refused; returns the decision's id."""
        ...


_resolver: PermissionResolver | None = None


def set_resolver(resolver: PermissionResolver) -> None:
    global _resolver  # noqa: PLW0603 - one process, one resolver
    _resolver = resolver


def resolver() -> PermissionResolver:
    if _resolver is None:
        raise RuntimeError("No permission resolver is registered; is apps.access installed?")
    return _resolver
