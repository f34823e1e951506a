"""Amounts of a metered unit as people read and write them: ``1.5 GiB``, ``2 h``, ``12,345``."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

#: Of units that have larger ones: those, from the smallest to the largest, as multiples. IEC 80000-13 names the bytes'.
_SCALES: dict[str, tuple[tuple[str, int], ...]] = {
    "byte": (("B", 1), ("KiB", 1024), ("MiB", 1024**2), ("GiB", 1024**3), ("TiB", 1024**4)),
    "second": (("s", 1), ("min", 60), ("h", 3600)),
}
_WRITTEN = re.compile(r"(?P<number>\d[\d,_ ]*(?:\.\d+)?)\s*(?P<unit>[A-Za-z]*)")
#: What a column of whole numbers in PostgreSQL holds.
_LARGEST = 2**63 - 1


def scale_of(unit: str, largest: int) -> tuple[str, int]:
    """The unit in which amounts up to ``largest`` are shown together, and how many of ``unit`` it is: ("GiB", 2³⁰).

    A unit that has no larger ones is shown without a name: ("", 1).
    """
    steps = _SCALES.get(unit, (("", 1),))
    return next((step for step in reversed(steps) if abs(largest) >= step[1]), steps[0])


def describe_amount(amount: int, unit: str) -> str:
    """The amount in the largest unit of which it is at least one, to a tenth: ``1.5 GiB``; or grouped: ``12,345``."""
    name, size = scale_of(unit, amount)
    if not name:
        return f"{amount:,}"
    tenths = (Decimal(amount) / size).quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)
    shown = f"{tenths:,}".removesuffix(".0")
    return f"{shown} {name}"


def write_amount(amount: int, unit: str) -> str:
    """The amount so that ``parse_amount`` reads exactly it: in the largest unit of which it is a whole number."""
    steps = _SCALES.get(unit, (("", 1),))
    name, size = next(step for step in reversed(steps) if amount % step[1] == 0 and (amount or step[1] == 1))
    return f"{amount // size:,} {name}".strip()


def parse_amount(text: str, unit: str) -> int:
    """The amount that a person wrote: a number with or without a unit, such as ``20 GiB``, ``1.5 h`` or ``10,000``.

    Raises ValueError with a sentence for people.
    """
    steps = {name.lower(): size for name, size in _SCALES.get(unit, ())}
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"Write a number{_examples(unit)}.")
    suffix = match["unit"].lower()
    if suffix and suffix not in steps and suffix not in {unit, f"{unit}s"}:
        raise ValueError(f"“{match['unit'][:20]}” is no unit of this; write a number{_examples(unit)}.")
    amount = Decimal(re.sub(r"[,_ ]", "", match["number"])) * steps.get(suffix, 1)
    if amount != amount.to_integral_value():
        raise ValueError(f"That is no whole number of {unit}s.")
    if amount > _LARGEST:
        raise ValueError("That is more than can be counted; leave it empty for no limit.")
    return int(amount)


def _examples(unit: str) -> str:
    steps = _SCALES.get(unit)
    return f", alone or with {', '.join(name for name, _ in steps[:-1])} or {steps[-1][0]}" if steps else ""
