"""What a value may be: JSON, within limits.

The limits hold for every value that enters a variable or leaves an expression, so that no chain of steps can grow
one without end.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from .errors import EvaluationFailed

MAX_ITEMS = 10_000
"""Entries of one list or map."""
MAX_TEXT = 65_536
"""Characters of one text."""
MAX_NODES = 100_000
"""Entries of a value in all, those of the lists and maps inside it included."""
MAX_TOTAL_TEXT = 1_048_576
"""Characters of all texts in a value together."""
MAX_DEPTH = 64
MAX_INT = 2**63 - 1
MIN_INT = -(2**63)


def plain(value: Any) -> Any:
    """``value`` as plain JSON: ``None``, ``bool``, ``int``, ``float``, ``str``, ``list``, ``dict`` with text keys.

    A timestamp becomes RFC 3339 text in UTC, a duration text in seconds (``"90s"``), as in CEL's mapping to JSON.
    Raises ``EvaluationFailed`` (``value_too_large``, ``not_a_number``, ``bad_text``, ``wrong_type``) for anything else.
    """
    kind = type(value)
    if kind is float:
        return finite(value)
    if kind is bool or value is None:
        return value
    if kind is int:
        return whole(value)
    if kind is str:
        return bounded_text(value)
    return _Walk().plain(value, 0)


def weight(value: Any) -> int:
    """Roughly how many bytes a plain value takes as JSON, to bound what a run gathers in all."""
    walk = _Walk()
    walk.plain(value, 0)
    return walk.text + 8 * (walk.nodes + 1)


def finite(value: float) -> float:
    if math.isfinite(value):
        return value
    raise EvaluationFailed(
        "The result is not a finite number; a division by zero or an overflow is behind it.", code="not_a_number"
    )


def whole(value: int) -> int:
    if MIN_INT <= value <= MAX_INT:
        return value
    raise EvaluationFailed("This whole number doesn't fit into 64 bits.", code="overflow")


def bounded_text(value: str) -> str:
    if len(value) > MAX_TEXT:
        raise EvaluationFailed(f"A text may have at most {MAX_TEXT:,} characters.", code="value_too_large")
    if "\x00" in value:  # which no database keeps in its JSON
        raise EvaluationFailed("A text may not contain the character NUL.", code="bad_text")
    return value


def timestamp_text(moment: datetime) -> str:
    """RFC 3339 in UTC, to the microsecond where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class _Walk:
    """Counts what one value holds in all."""

    def __init__(self) -> None:
        self.nodes = 0
        self.text = 0

    def plain(self, value: Any, depth: int) -> Any:
        match value:
            case None | bool():
                return value
            case float():
                return finite(value)
            case int():
                return whole(value)
            case str():
                return self._text(value)
            case list() | tuple():
                self._enter(len(value), depth)
                return [self.plain(item, depth + 1) for item in value]
            case dict():
                self._enter(len(value), depth)
                return {self._key(key): self.plain(item, depth + 1) for key, item in value.items()}
            case datetime():
                return timestamp_text(value)
            case timedelta():
                return f"{value.total_seconds():g}s"
        raise EvaluationFailed("The result is neither text, number, boolean, list nor map.", code="wrong_type")

    def _text(self, value: str) -> str:
        self.text += len(bounded_text(value))
        if self.text > MAX_TOTAL_TEXT:
            raise EvaluationFailed(
                f"The texts of a value may have at most {MAX_TOTAL_TEXT:,} characters together.", code="value_too_large"
            )
        return value

    def _key(self, key: Any) -> str:
        if not isinstance(key, str):
            raise EvaluationFailed("The keys of a map must be text.", code="wrong_type")
        return self._text(key)

    def _enter(self, entries: int, depth: int) -> None:
        self.nodes += entries
        if entries > MAX_ITEMS:
            raise EvaluationFailed(f"A list or map may have at most {MAX_ITEMS:,} items.", code="value_too_large")
        if self.nodes > MAX_NODES:
            raise EvaluationFailed(f"A value may hold at most {MAX_NODES:,} items in all.", code="value_too_large")
        if depth >= MAX_DEPTH:
            raise EvaluationFailed(f"A value may nest at most {MAX_DEPTH} deep.", code="value_too_large")
