"""What can be counted and limited. Apps declare it here; the app that keeps the counters answers here.

An app below the one that keeps quotas asks ``require_room`` before it makes something that counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Gauge:
    """How to count anew what exists in the entered workspace, for reconciliation."""

    dimension: str
    measure: Callable[[UUID], int]


class Limiter(Protocol):
    """Whoever knows the limits of a workspace."""

    def require_room(self, *, workspace_id: UUID, dimension: str, amount: int, present: int) -> None:
        """Raise QuotaExceeded when ``present + amount`` of ``dimension`` would be above the hard limit."""
        ...


_gauges: dict[str, Gauge] = {}
_limiter: Limiter | None = None


def declare_gauge(dimension: str, measure: Callable[[UUID], int]) -> None:
    """Tell how ``dimension`` is measured in the workspace with this id. Raises ValueError for a second declaration."""
    if dimension in _gauges:
        raise ValueError(f"{dimension} is measured twice")
    _gauges[dimension] = Gauge(dimension, measure)


def gauges() -> list[Gauge]:
    return list(_gauges.values())


def set_limiter(limiter: Limiter) -> None:
    global _limiter  # noqa: PLW0603 - one process, one limiter
    _limiter = limiter


def require_room(*, workspace_id: UUID, dimension: str, amount: int = 1, present: int) -> None:
    """Raise QuotaExceeded when the workspace has no room for ``amount`` more beside the ``present`` ones."""
    if _limiter is not None:
        _limiter.require_room(workspace_id=workspace_id, dimension=dimension, amount=amount, present=present)
