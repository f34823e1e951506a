"""Rows of numbers → the geometry of a line, area or bar chart.

The template draws it as SVG. All places are percentages of the drawing, so that it fills any width while its words
keep their size: no script, no inline style. Missing values break a line and leave out a bar.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from apps.runtime.pages.formats import format_value, is_number

MAX_POINTS = 1000
"""Rows drawn at most; the caption says so when there are more."""

_LEFT, _RIGHT = 0.6, 99.4
_TOP, _BOTTOM = 7.0, 88.0
_MAX_MARKED = 60


@dataclass(frozen=True, slots=True)
class Tick:
    """A word on an axis and where it stands; ``anchor`` is SVG's text-anchor."""

    at: str
    text: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Mark:
    """A point or a bar, with what it says when pointed at."""

    x: str
    y: str
    width: str
    height: str
    title: str


@dataclass(frozen=True, slots=True)
class Series:
    """One field over all rows."""

    number: int
    label: str
    line: str = ""
    area: str = ""
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that the template needs, in words and percentages."""

    type: str
    title: str
    summary: str
    x_label: str
    series: tuple[Series, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    zero: str | None
    rows: tuple[tuple[str, ...], ...] = field(default=())
    left_out: int = 0


def build_chart(block: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Chart | None:
    """The chart of a ``chart`` block over rows, or None when no row has a number to draw."""
    left_out = max(0, len(rows) - MAX_POINTS)
    rows = rows[:MAX_POINTS]
    fields: list[str] = block["y"]
    labels = block.get("labels", {})
    names = [labels.get(name, words_of(name)) for name in fields]
    x_name = labels.get(block["x"], words_of(block["x"]))
    columns = [[_number(row.get(name)) for row in rows] for name in fields]
    known = [value for column in columns for value in column if value is not None]
    if not known:
        return None

    bars = block["type"] == "bar"
    low, high = min(known), max(known)
    if bars or block["type"] == "area" or 0 <= low < high * 0.4:
        low, high = min(low, 0.0), max(high, 0.0)
    ticks = nice_ticks(low, high)
    low, high = min(low, ticks[0]), max(high, ticks[-1])

    def place_y(value: float) -> float:
        return _BOTTOM - (value - low) / (high - low) * (_BOTTOM - _TOP)

    x_words = [format_value(row.get(block["x"]), block.get("x_format")) for row in rows]
    x_values = [_number(row.get(block["x"])) for row in rows]
    to_scale = not bars and _is_rising(x_values)
    places = _place_bands(len(rows)) if bars else _place_points(x_values, len(rows))
    pattern = block.get("format")
    written = [[format_value(value, pattern) for value in column] for column in columns]
    base = place_y(min(max(0.0, low), high))

    series = []
    for index, column in enumerate(columns):
        points = [None if v is None else (places[i], place_y(v)) for i, v in enumerate(column)]
        titles = [f"{x_words[i]}: {names[index]} {written[index][i]}" for i in range(len(rows))]
        if bars:
            marks = _bars(points, base, index, len(columns), titles)
            series.append(Series(index + 1, names[index], marks=marks))
            continue
        runs = _runs(points)
        marked = len(rows) <= _MAX_MARKED or any(len(run) == 1 for run in runs)
        series.append(
            Series(
                index + 1,
                names[index],
                line=" ".join(_path(run) for run in runs),
                area=" ".join(_area(run, base) for run in runs) if block["type"] == "area" else "",
                marks=tuple(
                    Mark(f"{p[0]:.2f}%", f"{p[1]:.2f}%", "", "", titles[i])
                    for i, p in enumerate(points)
                    if p is not None and marked
                ),
            )
        )
    return Chart(
        type=block["type"],
        title=block.get("title") or f"{_join(names)} by {x_name}",
        summary=_summary(x_words, names, columns, pattern),
        x_label=x_name,
        series=tuple(series),
        x_ticks=_scale_ticks(x_values, block.get("x_format")) if to_scale else _x_ticks(places, x_words),
        y_ticks=tuple(Tick(f"{place_y(t):.2f}%", format_value(t, pattern or _tick_format(ticks))) for t in ticks),
        zero=f"{base:.2f}%" if low < 0 < high or bars else None,
        rows=tuple((x_words[i], *(column[i] for column in written)) for i in range(len(rows))),
        left_out=left_out,
    )


def nice_ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round steps (1, 2, 2.5 or 5 times a power of ten) that enclose ``low`` to ``high``; at least two."""
    if high <= low:
        spread = abs(low) * 0.1 or 1.0
        low, high = low - spread, high + spread
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(f * power for f in (1, 2, 2.5, 5, 10) if f * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


def words_of(name: str) -> str:
    """What people read for a field that has no label: ``end_date`` → ``End date``."""
    return name.replace("_", " ").strip().capitalize() or name


def _number(value: Any) -> float | None:
    if not is_number(value):
        return None
    number = float(value)
    return number if math.isfinite(number) and abs(number) < 1e100 else None


def _is_rising(values: Sequence[float | None]) -> bool:
    known = [value for value in values if value is not None]
    return len(known) == len(values) > 1 and all(a < b for a, b in itertools.pairwise(known))


def _scale_place(value: float, first: float, last: float) -> float:
    return _LEFT + (value - first) / (last - first) * (_RIGHT - _LEFT)


def _place_points(values: Sequence[float | None], count: int) -> list[float]:
    """To scale when x is a rising number, evenly otherwise."""
    if _is_rising(values):
        known = [value for value in values if value is not None]
        return [_scale_place(value, known[0], known[-1]) for value in known]
    if count == 1:
        return [50.0]
    return [_LEFT + index / (count - 1) * (_RIGHT - _LEFT) for index in range(count)]


def _place_bands(count: int) -> list[float]:
    return [_LEFT + (index + 0.5) / count * (_RIGHT - _LEFT) for index in range(count)]


def _bars(points: Sequence[Any], base: float, index: int, series: int, titles: Sequence[str]) -> tuple[Mark, ...]:
    band = (_RIGHT - _LEFT) / max(1, len(points))
    group = min(band * 0.72, 12.0 * series)
    width = group / series
    return tuple(
        Mark(
            x=f"{x - group / 2 + index * width:.3f}%",
            y=f"{min(y, base):.2f}%",
            width=f"{max(0.1, width * 0.92):.3f}%",
            height=f"{max(0.3, abs(y - base)):.2f}%",
            title=titles[i],
        )
        for i, (x, y) in ((i, p) for i, p in enumerate(points) if p is not None)
    )


def _runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if run]


def _path(run: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in run)


def _area(run: Sequence[tuple[float, float]], base: float) -> str:
    return f"{_path(run)}L{run[-1][0]:.2f} {base:.2f}L{run[0][0]:.2f} {base:.2f}Z"


def _scale_ticks(values: Sequence[float | None], pattern: str | None) -> tuple[Tick, ...]:
    """Round numbers along an axis that is drawn to scale."""
    known = [value for value in values if value is not None]
    first, last = known[0], known[-1]
    steps = nice_ticks(first, last)
    pattern = pattern or _tick_format(steps).replace("0,0", "0")
    inside = [value for value in steps if first <= value <= last]
    return tuple(_tick(_scale_place(value, first, last), format_value(value, pattern)) for value in inside)


def _tick(at: float, text: str) -> Tick:
    return Tick(f"{at:.2f}%", _shorten(text), "start" if at < 4 else "end" if at > 96 else "middle")


def _x_ticks(places: Sequence[float], words: Sequence[str]) -> tuple[Tick, ...]:
    longest = max(len(word) for word in words)
    room = 7 if longest <= 4 else 5 if longest <= 8 else 3
    step = max(1, math.ceil((len(words) - 1) / (room - 1))) if len(words) > room else 1
    chosen = list(range(0, len(words), step))
    if step > 1 and chosen[-1] != len(words) - 1:
        if len(words) - 1 - chosen[-1] < step * 0.6:
            chosen.pop()
        chosen.append(len(words) - 1)
    return tuple(_tick(places[index], words[index]) for index in chosen)


def _shorten(words: str, maximum: int = 16) -> str:
    return words if len(words) <= maximum else words[: maximum - 1].rstrip() + "…"


def _tick_format(ticks: Sequence[float]) -> str:
    """As many decimals as tell the steps apart."""
    step = Decimal(repr(round(ticks[1] - ticks[0], 12))).normalize()
    decimals = min(12, max(0, -int(step.as_tuple().exponent)))
    return f"0,0.{'0' * decimals}" if decimals else "0,0"


def _summary(x_words: list[str], names: list[str], columns: list[list[float | None]], pattern: str | None) -> str:
    """One sentence for each series, for those who don't see the drawing."""
    sentences = []
    for name, column in zip(names, columns, strict=True):
        known = [(value, x_words[i]) for i, value in enumerate(column) if value is not None]
        if not known:
            continue
        lowest, highest = min(known), max(known)
        sentences.append(
            f"{name}: {len(known)} values, lowest {format_value(lowest[0], pattern)} at {lowest[1]}, "
            f"highest {format_value(highest[0], pattern)} at {highest[1]}."
        )
    return " ".join(sentences)


def _join(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
