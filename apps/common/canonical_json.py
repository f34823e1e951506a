"""JSON read with limits, and written in one way only, so that equal values have equal digests.

What ``loads`` accepts survives everything behind it: PostgreSQL's ``jsonb`` (which knows neither NUL nor half a
surrogate pair), 64-bit integers and IEEE doubles, and every walk over the value, as its depth is bounded.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator
from json.encoder import encode_basestring
from typing import Any

from apps.common.errors import InvalidInput, TooLarge

MAX_BYTES = 1_048_576
MAX_DEPTH = 64

_MAX_INT = 2**63 - 1
_STRING_OR_BRACKET = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)


class MalformedJson(InvalidInput):
    """The text is not JSON that we take.

    Codes: ``malformed_json``, ``json_too_deep``, ``json_duplicate_key``, ``json_number``, ``json_text``.
    """

    code = "malformed_json"
    detail = "The body is not valid JSON."


class JsonTooLarge(TooLarge):
    """More bytes of JSON than are accepted here."""

    code = "json_too_large"


def loads(data: bytes | str, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """The value written in ``data``.

    Raises ``JsonTooLarge`` beyond ``max_bytes`` and ``MalformedJson`` for what isn't JSON (RFC 8259), nests deeper
    than ``max_depth``, names a key twice, or holds NaN, Infinity, a number outside 64 bits, NUL, or half a surrogate
    pair. The depth is checked before anything is parsed.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > max_bytes:
        raise JsonTooLarge(f"This JSON has {len(raw):,} bytes; at most {max_bytes:,} are accepted.")
    _check_depth(raw, max_depth)
    try:
        value = _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise MalformedJson("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise MalformedJson(
            f"This is not valid JSON: {_reason(error.msg)} at line {error.lineno}, column {error.colno}."
        ) from None
    if b"\\u" in raw:
        for text in _texts(value):
            check_text(text)
    return value


def check_text(text: str) -> str:
    """``text``, if the database can keep it. Raises ``MalformedJson`` (``json_text``) for NUL and lone surrogates."""
    if "\x00" in text:
        raise MalformedJson("A text may not contain the character NUL.", code="json_text")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise MalformedJson("A text contains half of a surrogate pair.", code="json_text") from None
    return text


def canonical_dumps(value: Any) -> bytes:
    """``value`` in the canonical form of RFC 8785: keys sorted by UTF-16, no white space, numbers as in ECMAScript.

    Two additions: a whole number beyond 2**53 keeps all its digits (RFC 8785 would round it), and depth is bounded by
    ``MAX_DEPTH``. ``1.0`` and ``1`` are the same number and are written alike, as they are after a round trip through
    ``jsonb``. Raises ``ValueError`` for what isn't JSON.
    """
    return "".join(_written(value, 0)).encode()


def digest(value: Any) -> str:
    """SHA-256 of the canonical form, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_dumps(value)).hexdigest()


def _check_depth(raw: bytes, max_depth: int) -> None:
    if raw.count(b"[") + raw.count(b"{") <= max_depth:
        return
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(raw):
        sign = raw[match.start()]
        if sign in b"[{":
            depth += 1
            if depth > max_depth:
                raise MalformedJson(f"JSON may nest at most {max_depth} deep.", code="json_too_deep")
        elif sign in b"]}":
            depth -= 1


def _whole(digits: str) -> int:
    if len(digits) <= 20:
        number = int(digits)
        if -_MAX_INT - 1 <= number <= _MAX_INT:
            return number
    raise MalformedJson(f"The number {digits[:24]}… doesn't fit into 64 bits.", code="json_number")


def _real(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise MalformedJson(f"The number {digits[:24]} is too large.", code="json_number")
    return number


def _constant(name: str) -> Any:
    raise MalformedJson(f"{name} is not a number in JSON.", code="json_number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise MalformedJson(f"The key {twice[:64]!r} is given twice.", code="json_duplicate_key")
    return members


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole, parse_float=_real, parse_constant=_constant)


def _reason(message: str) -> str:
    return message[:1].lower() + message[1:]


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case list() as items:
                waiting.extend(items)
            case dict() as members:
                yield from members
                waiting.extend(members.values())


def _written(value: Any, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise ValueError(f"The value nests more than {MAX_DEPTH} deep.")
    if isinstance(value, list | tuple):
        yield "["
        for index, item in enumerate(value):
            if index:
                yield ","
            yield from _written(item, depth + 1)
        yield "]"
    elif isinstance(value, dict):
        yield "{"
        for index, key in enumerate(sorted(value, key=_utf16)):
            yield f"{',' if index else ''}{encode_basestring(key)}:"
            yield from _written(value[key], depth + 1)
        yield "}"
    else:
        yield _scalar(value)


def _scalar(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return encode_basestring(value)
        case int():
            return str(value)
        case float():
            return _ecmascript_number(value)
    raise ValueError(f"{type(value).__name__} is not a JSON value.")


def _utf16(key: Any) -> bytes:
    if not isinstance(key, str):
        raise ValueError("The keys of a JSON object are texts.")
    return key.encode("utf-16-be")


def _ecmascript_number(number: float) -> str:
    """ECMA-262, Number::toString: the shortest digits, plain from 1e-6 to below 1e21, else with an exponent."""
    if not math.isfinite(number):
        raise ValueError("NaN and Infinity are not JSON values.")
    if number == 0:
        return "0"
    mantissa, _, exponent = f"{abs(number)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    sign = "-" if number < 0 else ""
    if 0 < point <= 21:
        plain = digits.ljust(point, "0")
        return sign + plain[:point] + (f".{plain[point:]}" if plain[point:] else "")
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if digits[1:] else ""
    return f"{sign}{digits[0]}{rest}e{point - 1:+d}"
