"""Why a drill failed."""

from __future__ import annotations


class DrillFailed(Exception):
    """What was promised didn't happen; the text says what."""


def require(condition: bool, text: str) -> None:
    """Raises DrillFailed with the text unless the condition holds."""
    if not condition:
        raise DrillFailed(text)
