"""What whoever cancels or retries an operation must be allowed: to manage operations, and to ask for such work.

Without the second a member who may only manage operations would restore a database by retrying a restore that failed,
or stop a migration that somebody else was allowed to make.
"""

from __future__ import annotations

from apps.common.errors import Denied
from apps.common.permissions import Grant

MANAGE = "operations.manage"

_codes: dict[str, str] = {}


def declare_right(code: str, *kinds: str) -> None:
    """Say that work of these kinds is asked for with the permission ``code``; a kind without one is nobody's to manage.

    Called when the apps are ready. Raises ValueError for a second declaration of a kind.
    """
    for kind in kinds:
        if kind in _codes:
            raise ValueError(f"The right to manage {kind} is declared twice")
        _codes[kind] = code


def right_of(kind: str) -> str | None:
    """The permission that this kind of work is asked for with; None when nobody declared one."""
    return _codes.get(kind)


def may_manage(grant: Grant, kind: str) -> bool:
    """Whether the holder of ``grant`` may cancel and retry operations of this kind."""
    code = right_of(kind)
    return code is not None and grant.allows(MANAGE) and grant.allows(code)


def require_right(grant: Grant, kind: str) -> None:
    """Raise Denied, naming what is missing, unless the holder of ``grant`` may cancel and retry such operations."""
    grant.require(MANAGE)
    code = right_of(kind)
    if code is None:
        raise Denied("Operations of this kind are managed by the platform alone.")
    grant.require(code)
