"""Which workspaces have quotas: those that have tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from apps.common.tenancy import enter, enter_public
from apps.workspaces.selectors.directory import find_workspace


@contextmanager
def entered_with_quotas(workspace_id: UUID) -> Iterator[Any]:
    """Inside the block the workspace is entered, and given; None, and not entered, when it has no tables yet or is
    losing them: nobody keeps its quotas."""
    with enter_public():
        workspace = find_workspace(str(workspace_id))
    if workspace is None or not workspace.fingerprint or workspace.purge_started_at is not None:
        yield None
        return
    with enter(workspace):
        yield workspace
