"""Numbers as people read them, by the small patterns that definitions use: ``0,0.00``, ``0``, ``0.0%``, ``€ 0,0``.

One pattern language for ``format_number`` in expressions and for ``format`` of metrics and table columns on a page.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import lru_cache
from typing import NamedTuple

MAX_DECIMALS = 12

_PATTERN = re.compile(
    r"(?P<prefix>[^0#]{0,16})(?P<whole>0(?:,0{1,3})?)(?:\.(?P<decimals>0{1,12}))?(?P<suffix>[^0#]{0,16})"
)


class _NumberPattern(NamedTuple):
    prefix: str
    grouped: bool
    decimals: int
    percent: bool
    suffix: str


def format_number(value: float | Decimal, pattern: str) -> str:
    """``value`` written by ``pattern``, ties rounded away from zero: 1234.5 by ``0,0.00`` is ``1,234.50``.

    A pattern is ``0`` (whole), with ``,0`` for thousands separators and ``.00`` for as many decimals as zeros, between
    an optional prefix and suffix of up to 16 characters; a ``%`` in the suffix multiplies by 100. A number that isn't
    finite is refused. Raises ``ValueError`` with a sentence for people.
    """
    parts = _parse(pattern)
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite():
        raise ValueError("Only a finite number can be formatted")
    with localcontext() as context:
        context.prec = 400
        if parts.percent:
            number *= 100
        rounded = number.quantize(Decimal(1).scaleb(-parts.decimals), rounding=ROUND_HALF_UP)
    if rounded.is_zero():
        rounded = rounded.copy_abs()
    sign = "-" if rounded < 0 else ""
    digits = f"{rounded.copy_abs():{',' if parts.grouped else ''}f}"
    return f"{sign}{parts.prefix}{digits}{parts.suffix}"


@lru_cache(maxsize=256)
def _parse(pattern: str) -> _NumberPattern:
    match = _PATTERN.fullmatch(pattern)
    if match is None:
        raise ValueError(f"{pattern[:40]!r} is no number format; write for example '0', '0,0.00' or '0.0%'")
    return _NumberPattern(
        prefix=match["prefix"],
        grouped="," in match["whole"],
        decimals=len(match["decimals"] or ""),
        percent="%" in match["suffix"],
        suffix=match["suffix"],
    )
