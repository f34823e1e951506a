"""What is metered, as every process knows it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.conf import settings

from apps.common.tenancy import enter_public
from apps.plans.models import Dimension


@dataclass(frozen=True, slots=True)
class KnownDimension:
    """A dimension as it was when this process last looked."""

    code: str
    name: str
    unit: str
    kind: str
    reset: str
    on_failure: str


_known: tuple[float, dict[str, KnownDimension]] = (float("-inf"), {})


def known_dimensions() -> dict[str, KnownDimension]:
    """Every dimension by code, read at most once in DIMENSIONS_KNOWN_FOR: they hardly ever change."""
    global _known  # noqa: PLW0603 - what the process knows, replaced as a whole
    read_at, known = _known
    if time.monotonic() - read_at < settings.DIMENSIONS_KNOWN_FOR.total_seconds() and known:
        return known
    names = tuple(KnownDimension.__slots__)
    with enter_public():
        known = {row[0]: KnownDimension(*row) for row in Dimension.objects.values_list(*names)}
    _known = (time.monotonic(), known)
    return known


def find_dimension(code: str) -> KnownDimension | None:
    """The dimension with this code; None when there is none. A code that isn't known is looked for anew: what another
    process added a moment ago counts at once."""
    found = known_dimensions().get(code)
    if found is None:
        forget_dimensions()
        found = known_dimensions().get(code)
    return found


def forget_dimensions() -> None:
    """Read them anew at the next question."""
    global _known  # noqa: PLW0603
    _known = (float("-inf"), {})
