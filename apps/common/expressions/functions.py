"""The functions that expressions may call, beside CEL's own.

All are pure, take and give JSON values (and CEL's timestamps), and cost at most time linear in what they are given.
Each may be called as ``upper(x)`` or as ``x.upper()``. Ties are rounded away from zero, in decimal: ``round(2.675, 2)``
is ``2.68`` and ``round(-2.5)`` is ``-3.0``, as on paper and in a spreadsheet, not as in binary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

import jsonschema_rs

from apps.common import number_format

from .errors import EvaluationFailed
from .values import MAX_ITEMS, MAX_TEXT, timestamp_text, whole

MAX_DIGITS = 15
"""Decimals that ``round`` can keep; a double has no more that are certain."""
MAX_PATTERN_MEMORY = 1_048_576
"""Bytes that a compiled pattern may take; compiling one costs at most some milliseconds then."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function: how it is written, what it does, how many arguments it takes (the receiver included)."""

    signature: str
    purpose: str
    least: int
    most: int
    call: Callable[..., Any]


def _failed(detail: str, code: str = "bad_argument") -> EvaluationFailed:
    return EvaluationFailed(detail, code=code)


_KIND_NAMES = {bool: "a boolean", int: "a whole number", float: "a number", str: "text", list: "a list", dict: "a map"}


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return next((name for kind, name in _KIND_NAMES.items() if type(value) is kind), "a time")


def _number(value: Any, function: str) -> float:
    if type(value) is float:
        if math.isfinite(value):
            return value
        raise _failed(
            f"{function}() was given a number that is not finite; look for a division by zero.", "not_a_number"
        )
    if type(value) is int:
        return value
    raise _failed(f"{function}() needs a number, not {_kind(value)}.", "wrong_type")


def _whole_number(value: Any, function: str) -> int:
    number = _number(value, function)
    if number != int(number):
        raise _failed(f"{function}() needs a whole number, not {number}.")
    return int(number)


def _text(value: Any, function: str) -> str:
    if type(value) is str:
        return value
    raise _failed(f"{function}() needs text, not {_kind(value)}.", "wrong_type")


def _list(value: Any, function: str) -> list[Any]:
    if type(value) is list:
        return value
    raise _failed(f"{function}() needs a list, not {_kind(value)}.", "wrong_type")


def _bounded(length: int, function: str) -> None:
    if length > MAX_TEXT:
        raise _failed(f"{function}() would give more than {MAX_TEXT:,} characters.", "value_too_large")


# Numbers


def power(base: Any, exponent: Any) -> float:
    x, y = _number(base, "pow"), _number(exponent, "pow")
    try:
        return math.pow(x, y)
    except OverflowError:
        raise _failed(f"pow({x}, {y}) is too large.", "overflow") from None
    except ValueError:
        raise _failed(f"pow({x}, {y}) is not a real number.") from None


def round_number(value: Any, digits: Any = 0) -> float:
    number, places = _number(value, "round"), _whole_number(digits, "round")
    if not 0 <= places <= MAX_DIGITS:
        raise _failed(f"round() keeps between 0 and {MAX_DIGITS} decimals, not {places}.")
    if type(number) is int or abs(number) >= 2**53:
        return number
    # The shortest decimal that reads back as this double is what people see, so that is what is rounded.
    return float(Decimal(repr(number)).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)) + 0.0


def floor(value: Any) -> float:
    number = _number(value, "floor")
    return number if type(number) is int else float(math.floor(number))


def ceil(value: Any) -> float:
    number = _number(value, "ceil")
    return number if type(number) is int else float(math.ceil(number))


def absolute(value: Any) -> float:
    number = _number(value, "abs")
    return whole(abs(number)) if type(number) is int else abs(number)


def _several(values: tuple[Any, ...], function: str) -> Sequence[Any]:
    items = values[0] if len(values) == 1 and type(values[0]) is list else values
    if not items:
        raise _failed(f"{function}() of an empty list has no value.")
    if not (all(type(item) is str for item in items) or all(type(item) in (int, float) for item in items)):
        raise _failed(f"{function}() compares numbers, or texts, not both and nothing else.", "wrong_type")
    return items


def minimum(*values: Any) -> Any:
    return min(_several(values, "min"))


def maximum(*values: Any) -> Any:
    return max(_several(values, "max"))


def total(values: Any) -> float:
    numbers = [_number(item, "sum") for item in _list(values, "sum")]
    if any(type(number) is float for number in numbers):
        try:
            return math.fsum(numbers)
        except OverflowError:
            raise _failed("The sum is too large.", "overflow") from None
    return whole(int(sum(numbers)))


def average(values: Any) -> float:
    numbers = [_number(item, "avg") for item in _list(values, "avg")]
    if not numbers:
        raise _failed("avg() of an empty list has no value.")
    try:
        return math.fsum(numbers) / len(numbers)
    except OverflowError:
        raise _failed("The sum behind this average is too large.", "overflow") from None


def number_range(first: Any, second: Any = None, step: Any = 1) -> list[int]:
    start, end = (0, first) if second is None else (first, second)
    by = _whole_number(step, "range")
    if by == 0:
        raise _failed("range() can't go in steps of 0.")
    numbers = range(_whole_number(start, "range"), _whole_number(end, "range"), by)
    if len(numbers) > MAX_ITEMS:
        raise _failed(
            f"range() gives at most {MAX_ITEMS:,} numbers; this would be {len(numbers):,}.", "value_too_large"
        )
    return list(numbers)


def mod97(value: Any) -> int:
    remainder = 0
    for character in _text(value, "mod97"):
        if not (character.isascii() and character.isalnum()):
            raise _failed("mod97() reads digits and the letters A to Z only.")
        number = int(character, 36)
        remainder = (remainder * (10 if number < 10 else 100) + number) % 97
    return remainder


def format_number(value: Any, pattern: Any) -> str:
    try:
        return number_format.format_number(_number(value, "format_number"), _text(pattern, "format_number"))
    except ValueError as error:
        raise _failed(f"{error}.") from None


# Text


def _as_text(value: Any, function: str) -> str:
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is float and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(_number(value, function)) if type(value) in (int, float) else _text(value, function)


def join(values: Any, separator: Any = "") -> str:
    parts, between = [_as_text(item, "join") for item in _list(values, "join")], _text(separator, "join")
    _bounded(sum(map(len, parts)) + len(between) * max(0, len(parts) - 1), "join")
    return between.join(parts)


def split(value: Any, separator: Any) -> list[str]:
    text, between = _text(value, "split"), _text(separator, "split")
    parts = text.split(between, MAX_ITEMS) if between else list(text[: MAX_ITEMS + 1])
    if len(parts) > MAX_ITEMS:
        raise _failed(f"split() gives at most {MAX_ITEMS:,} parts; this text has more.", "value_too_large")
    return parts


def upper(value: Any) -> str:
    return _text(value, "upper").upper()


def lower(value: Any) -> str:
    return _text(value, "lower").lower()


def trim(value: Any) -> str:
    return _text(value, "trim").strip()


def replace(value: Any, old: Any, new: Any) -> str:
    text, before, after = _text(value, "replace"), _text(old, "replace"), _text(new, "replace")
    if not before:
        raise _failed("replace() needs a text to look for.")
    _bounded(len(text) + text.count(before) * (len(after) - len(before)), "replace")
    return text.replace(before, after)


def substring(value: Any, start: Any, end: Any = None) -> str:
    text, first = _text(value, "substring"), _whole_number(start, "substring")
    last = len(text) if end is None else _whole_number(end, "substring")
    if first < 0 or last < 0:
        raise _failed("substring() counts from 0; a position can't be negative.")
    return text[first:last]


def matches(value: Any, pattern: Any) -> bool:
    return _compiled_pattern(_text(pattern, "matches")).is_valid(_text(value, "matches"))


@lru_cache(maxsize=256)
def _compiled_pattern(pattern: str) -> jsonschema_rs.Draft202012Validator:
    """Rust's regular expressions, by way of the schema validator: linear in the text and bounded in memory."""
    try:
        return jsonschema_rs.Draft202012Validator(
            {"type": "string", "pattern": pattern},
            offline=True,
            pattern_options=jsonschema_rs.RegexOptions(
                size_limit=MAX_PATTERN_MEMORY, dfa_size_limit=MAX_PATTERN_MEMORY
            ),
        )
    except ValueError:
        raise _failed(
            f"{pattern[:40]!r} is no pattern that can be used: look-around and back-references are not available, "
            "and a pattern may not repeat too much."
        ) from None


# Times


def _day(value: Any, function: str) -> date:
    if isinstance(value, datetime):
        return value.astimezone(UTC).date()
    text = _text(value, function)
    try:
        return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text).date()
    except ValueError:
        raise _failed(f"{function}() needs a date such as 2026-03-31, not {text[:40]!r}.") from None


def calendar_date(value: Any, month: Any = None, day: Any = None) -> str:
    if month is None or day is None:
        return _day(value, "date").isoformat()
    year, month, day = (_whole_number(part, "date") for part in (value, month, day))
    try:
        return date(year, month, day).isoformat()
    except (ValueError, OverflowError):
        raise _failed(f"There is no day {day} of month {month} in the year {year}.") from None


def days_between(first: Any, second: Any) -> int:
    return (_day(second, "days_between") - _day(first, "days_between")).days


def size(value: Any) -> int:
    if type(value) in (str, list, dict):
        return len(value)
    raise _failed(f"size() needs text, a list or a map, not {_kind(value)}.", "wrong_type")


def text_of(value: Any) -> str:
    """CEL's ``string`` where the library has none: booleans and null."""
    if value is None:
        return "null"
    if isinstance(value, datetime):
        return timestamp_text(value)
    return _as_text(value, "string")


FUNCTIONS: dict[str, Function] = {
    "pow": Function("pow(x, y)", "x to the power of y, always a double", 2, 2, power),
    "round": Function("round(x, digits?)", "rounded half away from zero; a double stays one", 1, 2, round_number),
    "floor": Function("floor(x)", "the next whole value below; a double stays one", 1, 1, floor),
    "ceil": Function("ceil(x)", "the next whole value above; a double stays one", 1, 1, ceil),
    "abs": Function("abs(x)", "without its sign", 1, 1, absolute),
    "min": Function("min(list) or min(a, b, …)", "the smallest number, or the first text", 1, 64, minimum),
    "max": Function("max(list) or max(a, b, …)", "the largest number, or the last text", 1, 64, maximum),
    "sum": Function("sum(list)", "the sum, 0 of an empty list; exact until the last rounding", 1, 1, total),
    "avg": Function("avg(list)", "the mean, always a double", 1, 1, average),
    "range": Function("range(end) or range(start, end, step?)", "whole numbers, without the end", 1, 3, number_range),
    "join": Function("join(list, separator?)", "the items as one text", 1, 2, join),
    "split": Function("split(text, separator)", 'the parts; with "" the characters', 2, 2, split),
    "upper": Function("upper(text)", "in capitals", 1, 1, upper),
    "lower": Function("lower(text)", "in small letters", 1, 1, lower),
    "trim": Function("trim(text)", "without white space at both ends", 1, 1, trim),
    "replace": Function("replace(text, old, new)", "every old replaced, literally", 3, 3, replace),
    "substring": Function(
        "substring(text, start, end?)", "characters from start to before end, from 0", 2, 3, substring
    ),
    "matches": Function(
        "matches(text, pattern)", "whether the pattern occurs in the text; linear in time", 2, 2, matches
    ),
    "mod97": Function("mod97(text)", "remainder by 97, letters as 10 to 35 (ISO 7064)", 1, 1, mod97),
    "format_number": Function("format_number(x, pattern)", "as text, such as by '0,0.00'", 2, 2, format_number),
    "date": Function("date(text|time) or date(year, month, day)", "the day as text: 2026-03-31", 1, 3, calendar_date),
    "days_between": Function("days_between(a, b)", "whole days from a to b", 2, 2, days_between),
    "size": Function("size(x)", "characters of a text, items of a list or map", 1, 1, size),
    "string": Function("string(x)", "as text", 1, 1, text_of),
}
"""By the name that expressions call. ``now()``, the run's time, is bound for each scope."""

_CEL_DATE_PARTS = "getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear"
_CEL_TIME_PARTS = "getHours getMinutes getSeconds getMilliseconds"
BUILT_IN_ARITIES: dict[str, tuple[int, int]] = {
    "has": (1, 1),
    "int": (1, 1),
    "double": (1, 1),
    "timestamp": (1, 1),
    "duration": (1, 1),
    "contains": (2, 2),
    "startsWith": (2, 2),
    "endsWith": (2, 2),
    "now": (0, 0),
    **dict.fromkeys(f"{_CEL_DATE_PARTS} {_CEL_TIME_PARTS}".split(), (1, 2)),
}
"""CEL's own functions that may be called, with how many arguments they take, the receiver included."""
