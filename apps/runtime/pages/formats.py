"""How a value is written for people: the ``format`` of a metric, a column or a field.

Numbers follow ``apps.common.number_format``, the same patterns as ``format_number`` in expressions; times follow the
usual letters (``D MMM YYYY``), or one of the words ``date``, ``datetime`` and ``time``.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from apps.common.number_format import format_number

NOTHING = "–"
"""What stands where there is no value."""

_DATE_PARTS = re.compile(r"YYYY|MMMM|MMM|MM|DD|D|HH|mm|ss")
_DATE = re.compile(r"(?:YYYY|MMMM|MMM|MM|DD|D|HH|mm|ss|[-/., :T])+")
_NAMED = {"date": "D MMM YYYY", "datetime": "D MMM YYYY, HH:mm", "time": "HH:mm"}
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def format_value(value: Any, pattern: str | None = None) -> str:
    """``value`` in words. A value that the pattern can't write (a word under ``0.00``) is written plainly."""
    if value is None:
        return NOTHING
    if pattern in _NAMED or (pattern and _DATE.fullmatch(pattern)):
        moment = _moment(value)
        if moment is not None:
            return _format_moment(moment, _NAMED.get(pattern, pattern))
    elif pattern:
        number = _decimal(value)
        if number is not None:
            return format_number(number, pattern)
    return _plainly(value)


def is_number(value: Any) -> bool:
    """Whether a value is a number for people: booleans are not."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _plainly(value: Any) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, float):
        return _plain_float(value)
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, dt.datetime):
        return _format_moment(value, _NAMED["datetime"])
    if isinstance(value, dt.date):
        return _format_moment(_midnight(value), _NAMED["date"])
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_plainly(item)}" for name, item in value.items()) or NOTHING
    if isinstance(value, list | tuple):
        return ", ".join(_plainly(item) for item in value) or NOTHING
    return NOTHING if value is None else str(value)


def _plain_float(value: float) -> str:
    if not math.isfinite(value):
        return NOTHING
    if value and not 1e-6 <= abs(value) < 1e15:
        return f"{value:.6g}"
    written = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if written == "-0" else written


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return None
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 60 else None


def _moment(value: Any) -> dt.datetime | None:
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, dt.date):
        return _midnight(value)
    if isinstance(value, str):
        try:
            return dt.datetime.fromisoformat(value)
        except ValueError:
            return None
    return None


def _format_moment(moment: dt.datetime, pattern: str) -> str:
    month = _MONTHS[moment.month - 1]
    parts = {
        "YYYY": f"{moment.year:04d}",
        "MMMM": month,
        "MMM": month[:3],
        "MM": f"{moment.month:02d}",
        "DD": f"{moment.day:02d}",
        "D": str(moment.day),
        "HH": f"{moment.hour:02d}",
        "mm": f"{moment.minute:02d}",
        "ss": f"{moment.second:02d}",
    }
    return _DATE_PARTS.sub(lambda found: parts[found[0]], pattern)
