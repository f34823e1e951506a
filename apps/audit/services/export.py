"""The trail as a file: CSV for people with spreadsheets, NDJSON for programs. Both are written while they are read."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from django.db.models import QuerySet

from apps.audit.models import AuditEvent
from apps.audit.selectors.trail import stream_acts
from apps.audit.services.recording import AuditedWorkspace, Target, record_act_in
from apps.common.actors import Actor


class ExportFormat(StrEnum):
    CSV = "csv"
    NDJSON = "ndjson"

    @property
    def media_type(self) -> str:
        return "text/csv; charset=utf-8" if self is ExportFormat.CSV else "application/x-ndjson"


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
#: A spreadsheet reads a cell that begins with one of these as a formula (OWASP, "CSV Injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


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
    chunks = stream_acts(acts, workspace=workspace)
    return _csv_lines(chunks) if kind is ExportFormat.CSV else _json_lines(chunks)


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


class _Echo:
    """A file whose ``write`` hands back what it was given: how csv's writer becomes a generator."""

    def write(self, line: str) -> str:
        return line


def _csv_lines(chunks: Iterable[list[AuditEvent]]) -> Iterator[bytes]:
    writer = csv.writer(cast(Any, _Echo()))
    yield cast(str, writer.writerow(_COLUMNS)).encode()
    for chunk in chunks:
        yield "".join(cast(str, writer.writerow(_cells(act))) for act in chunk).encode()


def _json_lines(chunks: Iterable[list[AuditEvent]]) -> Iterator[bytes]:
    for chunk in chunks:
        yield "".join(json.dumps(show_act(act), ensure_ascii=False) + "\n" for act in chunk).encode()


def _cells(act: AuditEvent) -> list[str]:
    return [_harmless(_text(getattr(act, name))) for name in _COLUMNS]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return str(value)


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell
