"""What was typed into a form → typed inputs for an action, or errors beside the fields.

A form sends words. Here each becomes the type that the schema asks for, or stays as it was typed, with an error that
says what to write instead; whether the typed values fit the schema's limits is then asked of ``apps.common.schemas``,
the same judge that programs meet. Nothing that was typed is ever lost: the page shows it again.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from apps.common import canonical_json
from apps.common.canonical_json import MalformedJson
from apps.common.errors import FieldError
from apps.runtime.pages.fields import Field, iter_fields, value_as_text

MAX_TYPED = 262_144
"""Characters in one field that are looked at."""

MAX_LINES = 10_000


class FormData(Protocol):
    """What Django's QueryDict offers."""

    def getlist(self, key: str) -> list[str]: ...


Validate = Callable[[Mapping[str, Any]], Sequence[FieldError]]


@dataclass(frozen=True, slots=True)
class Submission:
    """A form as it was sent: the typed values, the words as typed, and what is wrong."""

    values: Mapping[str, Any] = field(default_factory=dict)
    typed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    errors: tuple[FieldError, ...] = ()

    def errors_at(self, pointer: str) -> list[FieldError]:
        """Errors of one field, those inside it (``/tags/3``) included."""
        return [error for error in self.errors if error.pointer == pointer or error.pointer.startswith(pointer + "/")]


class _Unreadable(Exception):
    """A word that can't be read as its type; the message says what to write."""


def read_submission(fields: tuple[Field, ...], data: FormData, validate: Validate) -> Submission:
    """Read a form post. ``validate`` is asked about the values only where the words could be read."""
    typed = {each.name: tuple(data.getlist(each.name)) for each in iter_fields(fields) if each.widget != "group"}
    unreadable: list[FieldError] = []
    values = _read_fields(fields, typed, unreadable)
    already = {error.pointer for error in unreadable}
    judged = [error for error in validate(values) if not _is_covered(error.pointer, already)]
    order = {each.pointer: position for position, each in enumerate(iter_fields(fields))}

    def position(error: FieldError) -> int:
        return next((order[p] for p in _pointers_above(error.pointer) if p in order), len(order))

    return Submission(values, typed, tuple(sorted([*unreadable, *judged], key=position)))


def show_values(fields: tuple[Field, ...], values: Mapping[str, Any], errors: Sequence[FieldError] = ()) -> Submission:
    """A form filled with typed values, such as the inputs of a run that is shown again."""
    typed: dict[str, tuple[str, ...]] = {}
    _write_fields(fields, values, typed)
    return Submission(values, typed, tuple(errors))


def _write_fields(fields: tuple[Field, ...], values: Any, typed: dict[str, tuple[str, ...]]) -> None:
    values = values if isinstance(values, Mapping) else {}
    for each in fields:
        if each.widget == "group":
            _write_fields(each.fields, values.get(each.key), typed)
        else:
            typed[each.name] = value_as_text(each.schema, values.get(each.key))


def _is_covered(pointer: str, covered: set[str]) -> bool:
    return any(above in covered for above in _pointers_above(pointer))


def _pointers_above(pointer: str) -> list[str]:
    parts = pointer.split("/")
    return ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _read_fields(
    fields: tuple[Field, ...], typed: Mapping[str, tuple[str, ...]], errors: list[FieldError]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for each in fields:
        if each.widget == "group":
            inner = _read_fields(each.fields, typed, errors)
            if inner or each.required:
                values[each.key] = inner
            continue
        try:
            value = _read(each, typed[each.name])
        except _Unreadable as problem:
            errors.append(FieldError(each.pointer, "unreadable", str(problem)))
            continue
        if value is not None:
            values[each.key] = value
    return values


def _read(field_: Field, words: tuple[str, ...]) -> Any:
    """The typed value, or None when the field was left empty."""
    if any(len(word) > MAX_TYPED for word in words):
        raise _Unreadable("This is too long.")
    if any("\x00" in word for word in words):
        raise _Unreadable("This holds a character that can't be stored.")
    if field_.widget == "checkbox":
        return bool(words) and words[-1] not in {"", "false", "off", "0"}
    if field_.widget == "checkboxes":
        chosen = [_choose(field_, word) for word in words if word]
        return chosen if chosen or field_.required else None
    word = words[-1] if words else ""
    if field_.widget in {"select", "radios"}:
        return _choose(field_, word) if word else None
    if not word.strip():
        return None
    if field_.reads == "lines":
        return _read_lines(field_.schema.get("items", {}), word)
    if field_.reads == "json":
        return _read_json(word)
    return read_word(field_.schema, word)


def _choose(field_: Field, word: str) -> Any:
    for choice in field_.choices:
        if choice.key == word:
            return choice.value
    raise _Unreadable("Choose one of the values that are offered.")


def _read_lines(items: Mapping[str, Any], text: str) -> list[Any]:
    normal = text.replace("\r\n", "\n").replace("\r", "\n")
    entries = re.split(r"\n\s*\n", normal) if items.get("format") == "text" else normal.split("\n")
    entries = [entry.strip() for entry in entries if entry.strip()]
    if len(entries) > MAX_LINES:
        raise _Unreadable(f"This has {len(entries)} lines; at most {MAX_LINES} can be sent.")
    values = []
    for number, entry in enumerate(entries, start=1):
        try:
            values.append(read_word(items, entry))
        except _Unreadable as problem:
            raise _Unreadable(f"Line {number}: {problem}") from None
    return values


def _read_json(text: str) -> Any:
    try:
        return canonical_json.loads(text)
    except MalformedJson as problem:
        raise _Unreadable(problem.detail) from None


# --- Words ----------------------------------------------------------------------------------------------------------


def read_word(schema: Mapping[str, Any], word: str) -> Any:
    """One word as the type its schema asks for."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "string")
    if kind == "integer":
        return _read_integer(word)
    if kind == "number":
        return _read_number(word)
    if kind == "boolean":
        return _read_boolean(word)
    form = schema.get("format")
    if form == "text":
        return word.replace("\r\n", "\n").replace("\r", "\n")
    if form == "date":
        return _read_date(word)
    if form == "date-time":
        return _read_date_time(word)
    if form in {"email", "idn-email", "uri", "url"}:
        return word.strip()
    return word


_NUMBER = re.compile(r"^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?$")
_GROUPED = re.compile(r"^[+-]?\d{1,3}(?:[.,'’\s\u00a0\u202f]\d{3})*(?:[.,]\d+)?$")


def _read_number(word: str) -> float:
    text = word.strip().replace("−", "-")
    if len(text) > 400 or not _NUMBER.match(text) or not text.isascii():
        raise _Unreadable(_number_advice(text))
    number = float(text)
    if not math.isfinite(number):
        raise _Unreadable("This number is too large.")
    return number


def _read_integer(word: str) -> int:
    number = _read_number(word)
    if not number.is_integer():
        raise _Unreadable("Write a whole number, without decimals.")
    text = word.strip().replace("−", "-")
    if re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    return int(number)


def is_readable_number(word: str) -> bool:
    """Whether a word is a number in the form that HTML's number fields hold."""
    return bool(_NUMBER.match(word)) and not word.startswith("+") and not word.endswith(".")


def _number_advice(text: str) -> str:
    """What to write instead; when only the separators differ, the very number that was probably meant."""
    advice = "Write a number with digits only, and a point for decimals, such as 1234.5."
    if not _GROUPED.match(text):
        return advice
    separators = [char for char in text if not char.isdigit() and char not in "+-"]
    if not separators:
        return advice
    last = separators[-1]
    tail = text.rsplit(last, 1)[1]
    if len(set(separators)) == 1 and (len(separators) > 1 or len(tail) == 3):
        if len(separators) == 1 and last in ",.":
            whole, decimal = re.sub(r"\D", "", text), text.replace(",", ".")
            return f"Is this {whole} or {decimal}? Write it without separators for thousands, and a point for decimals."
        meant = re.sub(r"[^\d+-]", "", text)
    elif last in ",.":
        meant = re.sub(r"[^\d+-]", "", text.rsplit(last, 1)[0]) + "." + tail
    else:
        return advice
    return f"Write {meant}: digits only, no separators for thousands, and a point for decimals."


_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


def _read_boolean(word: str) -> bool:
    lowered = word.strip().lower()
    if lowered in _TRUE | _FALSE:
        return lowered in _TRUE
    raise _Unreadable("Write yes or no.")


def _read_date(word: str) -> str:
    try:
        return dt.date.fromisoformat(word.strip()).isoformat()
    except ValueError:
        raise _Unreadable("Write a date that exists as year-month-day, such as 2026-03-31.") from None


def _read_date_time(word: str) -> str:
    try:
        moment = dt.datetime.fromisoformat(word.strip())
    except ValueError:
        raise _Unreadable("Write a date and time such as 2026-03-31T14:30.") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return moment.isoformat().replace("+00:00", "Z")
