"""The trail as a file: CSV for people with spreadsheets, NDJSON for programs. Both are written while they are read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db.models import QuerySet

from apps.audit.models import AuditEvent
from apps.audit.services.recording import AuditedWorkspace, Target, record_act_in
from apps.common.actors import Actor
from apps.common.exports import CSV_TYPE, csv_lines, stream_newest_first


class ExportFormat(StrEnum):
    CSV = "csv"
    NDJSON = "ndjson"

    @property
    def media_type(self) -> str:
        return CSV_TYPE if self is ExportFormat.CSV else "application/x-ndjson"


_COLUMNS = (
    "id",
    "at",
    "actor_kind",
    "actor_id",
    "actor_name",
    "impersonator_id",
    "impersonator_name",
    "action",
    "target_kind",
    "target_id",
    "target_name",
    "changes",
    "request_id",
    "address",
)


def export_trail(
    *, workspace: AuditedWorkspace, acts: QuerySet[AuditEvent], kind: ExportFormat, actor: Actor, now: datetime
) -> Iterator[bytes]:
    """The bytes of ``acts`` as this ``kind``, read as they are consumed. That it was exported is an act of its own."""
    record_act_in(
        workspace,
        actor=actor,
        action="audit.export",
        target=Target(kind="audit", name=f"audit.{kind}"),
        changes={"format": str(kind)},
        now=now,
    )
    chunks = stream_newest_first(acts, workspace=workspace, by="at")
    if kind is ExportFormat.NDJSON:
        return _json_lines(chunks)
    return csv_lines(_COLUMNS, ([_cells(act) for act in chunk] for chunk in chunks))


def show_act(act: AuditEvent) -> dict[str, Any]:
    """An act as clients know it."""
    actor: dict[str, Any] = {
        "kind": act.actor_kind,
        "id": str(act.actor_id) if act.actor_id else None,
        "name": act.actor_name,
    }
    if act.impersonator_id is not None:
        actor["impersonator"] = {"id": str(act.impersonator_id), "name": act.impersonator_name}
    return {
        "id": str(act.pk),
        "at": act.at.isoformat().replace("+00:00", "Z"),
        "actor": actor,
        "action": act.action,
        "target": {"kind": act.target_kind, "id": act.target_id, "name": act.target_name},
        "changes": act.changes,
        "request_id": act.request_id,
        "address": act.address,
    }


def _json_lines(chunks: Iterable[list[AuditEvent]]) -> Iterator[bytes]:
    for chunk in chunks:
        yield "".join(json.dumps(show_act(act), ensure_ascii=False) + "\n" for act in chunk).encode()


def _cells(act: AuditEvent) -> list[Any]:
    return [_cell(getattr(act, name)) for name in _COLUMNS]


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, dict) else value
