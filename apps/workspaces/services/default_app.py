"""Apps, as those below them may know of them: the one that a workspace's short form acts on, and how they are called.

Apps live above this one, so whoever keeps them answers here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from uuid import UUID

from apps.common.tenancy import enter
from apps.workspaces.models import Workspace

#: Finds the id of an app by its id or slug in the entered workspace; None when there is none (or it is archived).
AppLookup = Callable[[str], UUID | None]


@dataclass(frozen=True, slots=True)
class AppName:
    """How an app is called, in addresses and for people."""

    slug: str
    name: str


#: The names of those of these apps that are in the entered workspace, archived ones too.
AppNames = Callable[[Collection[UUID]], dict[UUID, AppName]]

_lookup: AppLookup | None = None
_names: AppNames | None = None


def set_app_lookup(lookup: AppLookup, names: AppNames) -> None:
    """Whoever keeps apps tells how one is found and what they are called, when ready."""
    global _lookup, _names
    _lookup, _names = lookup, names


def find_app(workspace: Workspace, reference: str) -> UUID | None:
    """The id of the app of ``workspace`` with this id or slug; None when it has none such, or no schema yet."""
    if _lookup is None or not workspace.fingerprint:
        return None
    with enter(workspace):
        return _lookup(reference)


def name_apps(app_ids: Collection[UUID]) -> dict[UUID, AppName]:
    """The names of those of these apps that are still in the entered workspace; one query, or none for no apps."""
    return _names(app_ids) if _names is not None and app_ids else {}


def set_default_app(*, workspace: Workspace, app_id: UUID) -> None:
    """Make ``app_id``, an app of this workspace, the one that the short form acts on.

    For whoever makes a workspace's first app, in the transaction of its birth; a member's change goes through
    ``update_workspace``, which checks and audits.
    """
    workspace.default_app_id = app_id
    workspace.save(update_fields=["default_app_id", "updated_at"])
