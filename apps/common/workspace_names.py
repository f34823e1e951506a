"""What workspaces are called, for apps that lie below them and know their ids only.

The app of workspaces supplies the directory when it is ready; tables in the operators' console show and search it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID


class WorkspaceNames(Protocol):
    """Slugs by id, and ids by a part of slug or name."""

    def slugs_of(self, ids: Collection[UUID]) -> Mapping[UUID, str]: ...

    def find_ids(self, text: str, *, limit: int) -> Sequence[UUID]: ...


_directory: list[WorkspaceNames] = []


def set_workspace_names(names: WorkspaceNames) -> None:
    """Supply the directory; the last one counts."""
    _directory[:] = [names]


def workspace_names() -> WorkspaceNames:
    """The directory. Raises LookupError before the apps are ready."""
    if not _directory:
        raise LookupError("Nobody knows what workspaces are called yet.")
    return _directory[0]
