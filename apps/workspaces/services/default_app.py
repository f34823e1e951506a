"""The app that a workspace's short form acts on. Apps live above this one, so whoever keeps them answers here."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from apps.common.tenancy import enter
from apps.workspaces.models import Workspace

#: Finds the id of an app by its id or slug in the entered workspace; None when there is none (or it is archived).
AppLookup = Callable[[str], UUID | None]

_lookup: AppLookup | None = None


def set_app_lookup(lookup: AppLookup) -> None:
    """Whoever keeps apps tells how one is found, when ready."""
    global _lookup  # noqa: PLW0603 - one process, one lookup
    _lookup = lookup


def find_app(workspace: Workspace, reference: str) -> UUID | None:
    """The id of the app of ``workspace`` with this id or slug; None when it has none such, or no schema yet."""
    if _lookup is None or not workspace.fingerprint:
        return None
    with enter(workspace):
        return _lookup(reference)


def set_default_app(*, workspace: Workspace, app_id: UUID) -> None:
    """Make ``app_id``, an app of this workspace, the one that the short form acts on.

    For whoever makes a workspace's first app, in the transaction of its birth; a member's change goes through
    ``update_workspace``, which checks and audits.
    """
    workspace.default_app_id = app_id
    workspace.save(update_fields=["default_app_id", "updated_at"])
