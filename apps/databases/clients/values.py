"""Values between JSON and PostgreSQL's text format.

Numbers that JSON can't hold exactly (``numeric``) and floats that it doesn't know (NaN) are texts, times are RFC 3339,
bytes base64; arrays and JSON are what they are, every other type is shown as PostgreSQL writes it.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from psycopg import adapters
from psycopg.adapt import AdaptersMap, Buffer, Loader, Transformer
from psycopg.types.array import register_all_arrays

from apps.common.errors import InvalidInput

#: The session settings that the readers below rely on.
OUTPUT_SETTINGS = {
    "client_encoding": "UTF8",
    "DateStyle": "ISO, YMD",
    "TimeZone": "UTC",
    "IntervalStyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}

_INT4_MAX, _INT8_MAX = 2**31, 2**63
#: JSON that nests deeper than this is shown as text: what reads the answer would fail at it.
_DEEPEST_JSON = 100
_TEXT_FORMAT = 0


class _Text(Loader):
    def load(self, data: Buffer) -> Any:
        return bytes(data).decode("utf-8", "replace")


class _Boolean(Loader):
    def load(self, data: Buffer) -> Any:
        return bytes(data) == b"t"


class _Integer(Loader):
    def load(self, data: Buffer) -> Any:
        return int(bytes(data))


class _Float(Loader):
    def load(self, data: Buffer) -> Any:
        value = float(bytes(data))
        return value if math.isfinite(value) else bytes(data).decode()


class _Bytes(Loader):
    def load(self, data: Buffer) -> Any:
        return base64.b64encode(bytes.fromhex(bytes(data)[2:].decode())).decode()


class _Timestamp(Loader):
    def load(self, data: Buffer) -> Any:
        return bytes(data).decode().replace(" ", "T", 1)


class _TimestampWithZone(Loader):
    def load(self, data: Buffer) -> Any:
        text = bytes(data).decode()
        return text.replace(" ", "T", 1).removesuffix("+00") + "Z" if text.endswith("+00") else text


class _Json(Loader):
    def load(self, data: Buffer) -> Any:
        text = bytes(data).decode()
        try:
            return json.loads(text) if _depth_of(text) <= _DEEPEST_JSON else text
        except ValueError:
            return text  # a number too long for Python to read


def _depth_of(text: str) -> int:
    """At least how deep brackets nest; counted without regard to texts, so it may say too much."""
    depth = deepest = 0
    if text.count("[") + text.count("{") <= _DEEPEST_JSON:
        return 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


class _Reading:
    """The context in which psycopg looks readers up: ours, and its own for the arrays of them."""

    connection = None

    def __init__(self) -> None:
        self.adapters = AdaptersMap(None, types=adapters.types)
        loaders: tuple[tuple[str, type[Loader]], ...] = (
            *((name, _Integer) for name in ("int2", "int4", "int8", "oid")),
            *((name, _Float) for name in ("float4", "float8")),
            *((name, _Json) for name in ("json", "jsonb")),
            ("bool", _Boolean),
            ("bytea", _Bytes),
            ("timestamp", _Timestamp),
            ("timestamptz", _TimestampWithZone),
        )
        for name, loader in loaders:
            self.adapters.register_loader(name, loader)
        self.adapters.register_loader(0, _Text)
        register_all_arrays(self)


_READING = _Reading()


def readers(oids: Sequence[int]) -> list[Callable[[bytes], Any]]:
    """For each type, what makes a JSON value of its text format."""
    transformer = Transformer(_READING)
    return [transformer.get_loader(oid, _TEXT_FORMAT).load for oid in oids]  # type: ignore[arg-type]


def type_name(oid: int) -> str:
    """PostgreSQL's name of a built-in type, such as ``int4`` or ``text[]``; ``other`` for one that somebody made."""
    known = adapters.types.get(oid)
    if known is None:
        return "other"
    return f"{known.name}[]" if known.array_oid == oid else known.name


def write_parameter(value: Any) -> tuple[int, bytes | None]:
    """A JSON value as a parameter: the type's oid (0 lets the server infer it from the place) and its text.

    Texts and lists take the type of their place, so ``where id = :id`` works for uuids, times and the like, and
    ``= any(:ids)`` for arrays of them. Objects, and lists of objects, are ``jsonb``. Raises InvalidInput.
    """
    oids = adapters.types
    if value is None:
        return 0, None
    if isinstance(value, bool):
        return oids["bool"].oid, b"t" if value else b"f"
    if isinstance(value, int):
        size = "int4" if -_INT4_MAX <= value < _INT4_MAX else "int8" if -_INT8_MAX <= value < _INT8_MAX else "numeric"
        return oids[size].oid, str(value).encode()
    if isinstance(value, float):
        return oids["float8"].oid, repr(value).encode()
    if isinstance(value, str):
        return 0, _encode(value)
    if isinstance(value, list) and not _holds_objects(value):
        return 0, _encode(_array(value))
    return oids["jsonb"].oid, _encode(json.dumps(value, ensure_ascii=False))


def _encode(text: str) -> bytes:
    """Raises InvalidInput for what PostgreSQL has no text for: NUL, and halves of surrogate pairs."""
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidInput.at("/params", "invalid_text", "A text can't hold NUL or half a surrogate pair.")
    return text.encode()


def _holds_objects(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(_holds_objects(item) for item in value))


def _array(items: list[Any]) -> str:
    """An array in text format (PostgreSQL 15, section 8.15.2)."""
    return "{" + ",".join(_element(item) for item in items) + "}"


def _element(item: Any) -> str:
    if item is None:
        return "NULL"
    if isinstance(item, list):
        return _array(item)
    if isinstance(item, bool):
        return "t" if item else "f"
    text = item if isinstance(item, str) else repr(item)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
