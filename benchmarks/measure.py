"""Two sides, measured in turn: a shared machine drifts, a ratio of neighbours doesn't."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians of both sides, and the median of the ratios ours/reference of each round."""

    ours: float
    reference: float
    ratio: float


def alternate(ours: Callable[[], float], reference: Callable[[], float], *, rounds: int = ROUNDS) -> Comparison:
    """Measure both sides ``rounds`` times in turn; each callable returns its figure (seconds, or requests a second)."""
    pairs = [(ours(), reference()) for _ in range(rounds)]
    return Comparison(
        ours=statistics.median(mine for mine, _ in pairs),
        reference=statistics.median(other for _, other in pairs),
        ratio=statistics.median(mine / other for mine, other in pairs),
    )


def seconds(work: Callable[[], object]) -> float:
    """How long ``work`` takes, in seconds of the wall clock."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
