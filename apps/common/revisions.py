"""The revision of a row: a short token that changes with it, and changes that hold only for the revision they name.

A row's revision is one of its columns: a counter (``revision``, ``draft_revision``) or, without one, ``updated_at``.
Callers read the token as an ETag and send it back as If-Match (RFC 9110, section 13.1.1).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import F, Model

from apps.common.errors import StaleRevision

#: Tokens that a caller accepts; None accepts every revision.
Expected = Collection[str] | None

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def revision_column(model: type[Model] | Model) -> str:
    """The column that holds the revision: ``revision`` where there is one, else ``updated_at``."""
    return "revision" if any(field.name == "revision" for field in model._meta.concrete_fields) else "updated_at"


def revision_of(row: Model, *, column: str | None = None) -> str:
    """The token of ``row`` as it was loaded."""
    return _token(getattr(row, column or revision_column(row)))


def require_revision(row: Model, expected: Expected, *, column: str | None = None) -> None:
    """Raise StaleRevision unless ``row``, which the caller holds locked, is at a revision that ``expected`` accepts."""
    if expected is not None and revision_of(row, column=column) not in expected:
        raise StaleRevision


def update_revision(
    row: Model, expected: Expected, *, now: datetime, column: str | None = None, **changes: Any
) -> None:
    """Write ``changes`` to ``row`` and move its revision on, in one UPDATE that names the revision it replaces.

    Two changes of the same revision: one is written, the other raises StaleRevision, with or without a lock. With
    ``expected`` None the row is changed whatever its revision is. The row in hand has the new values afterwards.
    """
    column = column or revision_column(row)
    present = getattr(row, column)
    rows = type(row)._default_manager.filter(pk=row.pk)
    if expected is not None:
        if _token(present) not in expected:
            raise StaleRevision
        rows = rows.filter(**{column: present})
    is_time = isinstance(present, datetime)
    names = {field.name for field in row._meta.concrete_fields}
    stamps: dict[str, Any] = {"updated_at": now} if "updated_at" in names else {}
    # A clock that stands still between two changes must not give both the same revision.
    stamps[column] = max(now, present + _MICROSECOND) if is_time else F(column) + 1
    if not rows.update(**changes, **stamps):
        raise StaleRevision
    for name, value in {**stamps, **changes}.items():
        if name != column or is_time:
            setattr(row, name, value)
    if not is_time:
        row.refresh_from_db(fields=[column])


def _token(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{(value - _EPOCH) // _MICROSECOND:x}"
    return str(value)
