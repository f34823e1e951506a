"""The ledger and its sums as CSV files, written while they are read. That they were exported is an act of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from apps.audit.services.recording import Target, record_act_in
from apps.billing.models import AppUsage, UsageEvent
from apps.common.actors import Actor
from apps.common.exports import csv_lines, stream_newest_first
from apps.common.tenancy import enter
from apps.workspaces.services.default_app import AppName, name_apps

_EVENT_COLUMNS = (
    "id",
    "occurred_at",
    "period_start",
    "dimension",
    "amount",
    "overage",
    "app_id",
    "source",
    "idempotency_key",
    "note",
    "actor",
    "corrects_id",
)
_USAGE_COLUMNS = ("start", "bucket", "dimension", "app_id", "app_slug", "app_name", "amount")


def export_events(*, workspace: Any, entries: QuerySet[UsageEvent], actor: Actor, now: datetime) -> Iterator[bytes]:
    """These entries of the ledger as CSV, newest first."""
    _record(workspace, "events", actor, now)
    chunks = stream_newest_first(entries, workspace=workspace, by="occurred_at")
    return csv_lines(
        _EVENT_COLUMNS, ([[getattr(row, name) for name in _EVENT_COLUMNS] for row in chunk] for chunk in chunks)
    )


def export_usage(*, workspace: Any, rows: QuerySet[AppUsage], actor: Actor, now: datetime) -> Iterator[bytes]:
    """These sums by app as CSV, newest first, with the names of the apps that are still there."""
    _record(workspace, "usage", actor, now)
    chunks = stream_newest_first(rows, workspace=workspace, by="start")
    return csv_lines(_USAGE_COLUMNS, (_usage_cells(chunk, workspace) for chunk in chunks))


def _usage_cells(rows: Collection[AppUsage], workspace: Any) -> list[list[Any]]:
    with enter(workspace):
        names = name_apps({row.app_id for row in rows if row.app_id is not None})
    nameless = AppName("", "")
    return [
        [row.start, row.bucket, row.dimension, row.app_id, known.slug, known.name, row.amount]
        for row in rows
        for known in [names.get(row.app_id, nameless) if row.app_id else nameless]
    ]


def _record(workspace: Any, what: str, actor: Actor, now: datetime) -> None:
    record_act_in(
        workspace,
        actor=actor,
        action="usage.export",
        target=Target(kind="usage", name=f"{what}.csv"),
        changes={"format": "csv"},
        now=now,
    )
