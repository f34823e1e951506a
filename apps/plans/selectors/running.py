"""How many operations run at once by plan, as every process knows it."""

from __future__ import annotations

import time

from django.conf import settings

from apps.common.tenancy import enter_public
from apps.plans.models import Plan

_known: tuple[float, dict[str, int]] = (float("-inf"), {})


def running_limits() -> dict[str, int]:
    """The plans with a limit of their own, by code; read at most once in PLANS_KNOWN_FOR."""
    global _known  # noqa: PLW0603 - what the process knows, replaced as a whole
    read_at, known = _known
    if time.monotonic() - read_at < settings.PLANS_KNOWN_FOR.total_seconds():
        return known
    with enter_public():
        rows = Plan.objects.values_list("code", "running_operations")
        known = {code: number for code, number in rows if number is not None}
    _known = (time.monotonic(), known)
    return known


def forget_running_limits() -> None:
    """Read them anew at the next question."""
    global _known  # noqa: PLW0603
    _known = (float("-inf"), {})
