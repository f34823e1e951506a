"""What apps say of their tables for the archive of a workspace: what stays behind, and what a row must be.

An archive comes from outside: whoever brings it may have written it by hand. Each app therefore declares here what its
own services would never have let into its tables; rows that fail are refused before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

#: A row as PostgreSQL's COPY writes it: column → text, None for NULL. JSON is text, arrays are in braces.
Row = Mapping[str, str | None]
#: Returns a sentence about what is wrong with the row, or None.
RowCheck = Callable[[Row], str | None]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A column that no archive holds. ``instead`` is what stands there (text as COPY reads it, None for NULL)."""

    table: str
    column: str
    instead: str | None
    why: str


_left_out: dict[str, dict[str, LeftOut]] = {}
_empty: dict[str, str] = {}
_checks: dict[str, list[RowCheck]] = {}


def leave_out(table: str, column: str, *, why: str, instead: str | None = "") -> None:
    """Keep ``column`` out of archives: a credential, or whatever means nothing in another installation.

    Called when the apps are ready; raises ValueError for a second declaration.
    """
    columns = _left_out.setdefault(table, {})
    if column in columns:
        raise ValueError(f"{table}.{column} is left out twice")
    columns[column] = LeftOut(table, column, instead, why)


def leave_out_rows(table: str, *, why: str) -> None:
    """Keep every row of ``table`` out of archives: what belongs to the installation, and not to what is carried away.

    Raises ValueError for a second declaration.
    """
    if table in _empty:
        raise ValueError(f"The rows of {table} are left out twice")
    _empty[table] = why


def check_rows(table: str, check: RowCheck) -> None:
    """Have every row of ``table`` that an archive brings looked at by ``check``."""
    _checks.setdefault(table, []).append(check)


def left_out_of(table: str) -> Mapping[str, LeftOut]:
    """The columns of ``table`` that stay behind, by name."""
    return _left_out.get(table, {})


def why_empty(table: str) -> str | None:
    """Why no archive holds rows of ``table``; None when archives do."""
    return _empty.get(table)


def checks_of(table: str) -> tuple[RowCheck, ...]:
    """What the rows of ``table`` are looked at by."""
    return tuple(_checks.get(table, ()))
