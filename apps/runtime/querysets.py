"""Writes of many rows at once: what visitors did, a second's worth in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from apps.common.ids import first_id_at
from apps.common.querysets import TenantQuerySet


class EventRow(NamedTuple):
    """One event on its way into the table; made with its id, so that writing it twice writes it once."""

    id: UUID
    app_id: UUID
    kind: str
    version: int | None
    session_id: UUID | None
    status: int
    milliseconds: float
    run_id: UUID | None
    at: datetime


class SessionRow(NamedTuple):
    """One session on its way into the table, or seen again."""

    id: UUID
    app_id: UUID
    user_id: UUID | None
    address: str
    user_agent: str
    started_at: datetime
    last_seen_at: datetime
    expires_at: datetime


_EVENT_TYPES = ("uuid", "uuid", "text", "int", "uuid", "int", "float8", "uuid", "timestamptz")
_SESSION_TYPES = ("uuid", "uuid", "uuid", "text", "text", "timestamptz", "timestamptz", "timestamptz")


class EventQuerySet(TenantQuerySet[Any]):
    """Events of visitors."""

    def write_all(self, rows: Sequence[EventRow]) -> None:
        """Write many in one statement; those that are there already are left alone."""
        self._check()
        _insert(self.model, EventRow, rows, _EVENT_TYPES, on_conflict="NOTHING")

    def before(self, moment: datetime) -> EventQuerySet:
        """Those that are older, the oldest first: by their keys, which are made in the order of time, since the times
        themselves have no index of their own."""
        return self.filter(pk__lt=first_id_at(moment), at__lt=moment).order_by("pk")

    def of_app(self, app_id: UUID) -> EventQuerySet:
        """The events of one app."""
        return self.filter(app_id=app_id)


class SessionQuerySet(TenantQuerySet[Any]):
    """Sessions of visitors."""

    def write_all(self, rows: Sequence[SessionRow]) -> None:
        """Write many in one statement; those that are there already were seen again."""
        self._check()
        newest = {row.id: row for row in rows}
        _insert(
            self.model,
            SessionRow,
            list(newest.values()),
            _SESSION_TYPES,
            on_conflict="UPDATE SET last_seen_at = GREATEST(seen.last_seen_at, EXCLUDED.last_seen_at)",
        )

    def expired_before(self, moment: datetime) -> SessionQuerySet:
        """Those whose time was over earlier, the oldest first."""
        return self.filter(expires_at__lt=moment).order_by("expires_at")

    def of_app(self, app_id: UUID) -> SessionQuerySet:
        """The sessions of one app."""
        return self.filter(app_id=app_id)


def _insert(model: Any, row_type: Any, rows: Sequence[Any], types: Sequence[str], *, on_conflict: str) -> None:
    if not rows:
        return
    quote = connection.ops.quote_name
    columns = ", ".join(quote(model._meta.get_field(name).column) for name in row_type._fields)
    arrays = ", ".join(f"%s::{kind}[]" for kind in types)
    target = f"{quote(model._meta.db_table)} AS seen"
    # Names come from the model, values are bound: nothing of a visitor's is in the text of the statement.
    statement = f"INSERT INTO {target} ({columns}) SELECT * FROM unnest({arrays}) ON CONFLICT (id) DO {on_conflict}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(values) for values in zip(*rows, strict=True)])
