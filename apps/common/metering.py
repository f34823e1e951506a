"""What can be counted and limited. Apps declare it here; the app that keeps the quotas answers here.

An app below that one calls ``take_room`` where it makes something that counts, and ``note_level`` where it takes
something away. Where nobody keeps quotas, neither does anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Gauge:
    """How to count anew what exists in the entered workspace."""

    dimension: str
    measure: Callable[[UUID], int]


class QuotaKeeper(Protocol):
    """Whoever keeps the quotas of workspaces; the functions below say what is asked."""

    def take_room(self, *, workspace_id: UUID, dimension: str, amount: int, now: datetime) -> None: ...

    def note_level(self, *, workspace_id: UUID, dimension: str, now: datetime, going: int) -> None: ...


_gauges: dict[str, Gauge] = {}
_keeper: QuotaKeeper | None = None


def declare_gauge(dimension: str, measure: Callable[[UUID], int]) -> None:
    """Tell how ``dimension`` is measured in the workspace with this id. Raises ValueError for a second declaration."""
    if dimension in _gauges:
        raise ValueError(f"{dimension} is measured twice")
    _gauges[dimension] = Gauge(dimension, measure)


def gauges() -> list[Gauge]:
    return list(_gauges.values())


def find_gauge(dimension: str) -> Gauge | None:
    """How the dimension is measured; None for what is reported instead."""
    return _gauges.get(dimension)


def set_quota_keeper(keeper: QuotaKeeper) -> None:
    global _keeper  # noqa: PLW0603 - one process, one keeper
    _keeper = keeper


def take_room(*, workspace_id: UUID, dimension: str, amount: int = 1, now: datetime) -> None:
    """Raise QuotaExceeded unless the workspace may have ``amount`` more than it has now.

    To be called in the transaction that makes it, before it is made: the quota stays locked until that one ends, so of
    two who want the last place the second finds it taken.
    """
    if _keeper is not None:
        _keeper.take_room(workspace_id=workspace_id, dimension=dimension, amount=amount, now=now)


def note_level(*, workspace_id: UUID, dimension: str, now: datetime, going: int = 0) -> None:
    """Have what exists counted anew, in the transaction that takes something away (or that measured it).

    ``going`` is for those who call before they take it away, as they must where somebody who makes the same would wait
    for them with the quota locked: so many of what is counted will be gone.
    """
    if _keeper is not None:
        _keeper.note_level(workspace_id=workspace_id, dimension=dimension, now=now, going=going)
