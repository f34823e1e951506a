"""How many operations of a workspace may run at once."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.conf import settings

RunningLimit = Callable[[UUID], int | None]


def _no_limit_of_its_own(workspace_id: UUID) -> int | None:
    return None


_running_limit: RunningLimit = _no_limit_of_its_own


def set_running_limit(limit: RunningLimit) -> None:
    """Have ``limit`` say how many operations of a workspace may run at once: the plan's answer, or None for
    OPERATION_RUNNING_PER_WORKSPACE."""
    global _running_limit  # noqa: PLW0603 - one process, one answer
    _running_limit = limit


def running_limit(workspace_id: UUID) -> int:
    """How many operations of the workspace may run at once."""
    own = _running_limit(workspace_id)
    limit: int = settings.OPERATION_RUNNING_PER_WORKSPACE if own is None else own
    return limit
