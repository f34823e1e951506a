"""Rows as a file: read in chunks while they are written, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, cast

from django.db.models import QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleLessThan

from apps.common.tenancy import HasSchema, enter

CSV_TYPE = "text/csv; charset=utf-8"
_CHUNK = 500
#: A spreadsheet reads a text that begins with one of these as a formula (OWASP, "CSV Injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def stream_newest_first(rows: QuerySet[Any], *, workspace: HasSchema, by: str) -> Iterator[list[Any]]:
    """``rows`` in chunks, by the column ``by`` and then by key, both descending; each is read in a query of its own
    inside the workspace.

    A streamed answer is consumed after its request has left the workspace, and other code may run between two chunks:
    nothing stays entered while the caller has the word.
    """
    last: Any = None
    while True:
        with enter(workspace):
            rest = rows
            if last is not None:
                rest = rows.filter(TupleLessThan(Tuple(by, "id"), (getattr(last, by), last.pk)))
            chunk = list(rest.order_by(f"-{by}", "-id")[:_CHUNK])
        if chunk:
            yield chunk
        if len(chunk) < _CHUNK:
            return
        last = chunk[-1]


def csv_lines(columns: Sequence[str], chunks: Iterable[Iterable[Sequence[Any]]]) -> Iterator[bytes]:
    """A CSV file (RFC 4180, UTF-8) with these columns, a piece for each chunk of rows.

    Moments are in RFC 3339, None is empty; a text that a spreadsheet would take for a formula gets a ``'`` before it.
    """
    writer = csv.writer(cast(Any, _Echo()))
    yield cast(str, writer.writerow(columns)).encode()
    for chunk in chunks:
        yield "".join(cast(str, writer.writerow([_cell(value) for value in row])) for row in chunk).encode()


class _Echo:
    """A file whose ``write`` hands back what it was given: how csv's writer becomes a generator."""

    def write(self, line: str) -> str:
        return line


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
