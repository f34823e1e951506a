"""Exporting workspaces: asked for, made by a worker, proved, downloaded, forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.archives.errors import ExportGone, ExportNotFound, ExportNotReady
from apps.archives.models import WorkspaceExport
from apps.archives.services.reading import check_archive
from apps.archives.services.storing import discard, export_name, opened, read_stored, sealing_writer, spool, store
from apps.archives.services.writing import SchemaMoved, write_archive
from apps.archives.states import ExportStatus
from apps.audit.services import Target, record_act_in
from apps.audit.services.recording import AuditedWorkspace
from apps.common.actors import Actor
from apps.common.archiving import left_out_of, why_empty
from apps.common.errors import Unavailable
from apps.common.tenancy import enter_public
from apps.events.services import emit_event
from apps.operations.errors import StepFailed
from apps.operations.services.kinds import StepContext
from apps.operations.services.requests import request_operation
from apps.workspaces.selectors.directory import find_workspace
from apps.workspaces.selectors.portraits import portrait_of

_CHUNK = 1 << 18


class ExportedWorkspace(AuditedWorkspace, Protocol):
    """A workspace that the caller was admitted to."""

    @property
    def id(self) -> UUID: ...


def request_export(*, workspace: ExportedWorkspace, actor: Actor, now: datetime) -> Any:
    """Have the workspace exported; the operation's result tells size, hash and where to download it."""
    with enter_public(), transaction.atomic():
        export: WorkspaceExport = WorkspaceExport.objects.create(
            workspace_id=workspace.id, requested_by=actor.as_json(), expires_at=now + settings.EXPORT_LIFETIME
        )
        _audit(workspace, export, "workspace.export", actor=actor, now=now)
        return request_operation(
            kind="workspaces.export",
            target_id=workspace.id,
            workspace_id=workspace.id,
            params={"export": str(export.pk)},
            actor=actor,
            now=now,
        )


def find_export(*, workspace_id: UUID, export_id: UUID) -> WorkspaceExport:
    """Raises ExportNotFound."""
    with enter_public():
        found: WorkspaceExport | None = WorkspaceExport.objects.of_workspace(workspace_id).filter(pk=export_id).first()
    if found is None:
        raise ExportNotFound
    return found


def open_download(
    *, workspace: ExportedWorkspace, export_id: UUID, actor: Actor, now: datetime
) -> tuple[WorkspaceExport, Iterator[bytes]]:
    """The export and its bytes, unsealed while they are read. That it was downloaded is an act of its own.

    Raises ExportNotFound, ExportNotReady, ExportGone.
    """
    export = find_export(workspace_id=workspace.id, export_id=export_id)
    if export.status == ExportStatus.EXPIRED or export.expires_at <= now:
        raise ExportGone
    if export.status != ExportStatus.READY:
        raise ExportNotReady
    _audit(workspace, export, "workspace.export.download", actor=actor, now=now)
    return export, _bytes_of(export)


def delete_export(*, workspace: ExportedWorkspace, export_id: UUID, actor: Actor, now: datetime) -> WorkspaceExport:
    """Delete the file before its time; the row says that there was one. Raises ExportNotFound, IllegalTransition."""
    with enter_public(), transaction.atomic():
        found = WorkspaceExport.objects.of_workspace(workspace.id).select_for_update().filter(pk=export_id).first()
        if found is None:
            raise ExportNotFound
        export: WorkspaceExport = found
        name = export.storage_name
        export.move_to(ExportStatus.EXPIRED, storage_name="", sealed_key="", expires_at=now)
        _audit(workspace, export, "workspace.export.delete", actor=actor, now=now)
        transaction.on_commit(lambda: discard(name), robust=True)
    return export


def _bytes_of(export: WorkspaceExport) -> Iterator[bytes]:
    with opened(export) as reader:
        while piece := reader.read(_CHUNK):
            yield piece


# The steps of the operation `workspaces.export`.


def write_step(context: StepContext) -> dict[str, Any]:
    """Write the archive and keep it; a repeat writes it anew under the same name."""
    export = _export_of(context)
    workspace = find_workspace(str(export.workspace_id))
    if workspace is None or not workspace.fingerprint:
        raise StepFailed("This workspace has no schema to be exported.", code="nothing_to_export")
    now = context.clock()

    with spool() as file:
        with sealing_writer(file, model=export._meta.label, key=str(export.pk)) as sealed:
            try:
                manifest, container = write_archive(
                    sealed,
                    schema_name=workspace.schema_name,
                    describe=lambda: portrait_of(export.workspace_id),
                    now=now,
                    between=context.require_lease,
                )
            except SchemaMoved as error:
                raise Unavailable("This workspace is being brought to a new release.") from error
        context.require_lease()
        name = store(file, export_name(export))
    WorkspaceExport.objects.filter(pk=export.pk, status=ExportStatus.MAKING).update(
        storage_name=name,
        sealed_key=sealed.sealed_key,
        size_bytes=container.size,
        sha256=container.sha256,
        tables=len(manifest.tables),
        rows=manifest.rows,
        manifest=manifest.as_json(),
    )
    return {"sha256": container.sha256}


def prove_step(context: StepContext) -> dict[str, Any]:
    """Read the stored archive back as an import would; only then it can be downloaded."""
    export = _export_of(context)
    read_stored(export, check_archive)
    now = context.clock()
    with transaction.atomic():
        row = WorkspaceExport.objects.select_for_update().get(pk=export.pk)
        if row.status == ExportStatus.MAKING:
            row.move_to(ExportStatus.READY, error="", expires_at=now + settings.EXPORT_LIFETIME)
            said = {"export": str(row.pk), "size_bytes": row.size_bytes, "sha256": row.sha256}
            emit_event(type="workspace.exported", workspace_id=row.workspace_id, data=said, now=now)
    address = f"/api/v1/workspaces/{row.workspace_id}/exports/{row.pk}"
    return {
        "export": str(row.pk),
        "size_bytes": row.size_bytes,
        "sha256": row.sha256,
        "tables": row.tables,
        "rows": row.rows,
        "expires_at": row.expires_at.isoformat(),
        "download": f"{address}/download",
        "left_out": what_is_left_out(row),
    }


def what_is_left_out(export: WorkspaceExport) -> list[dict[str, str]]:
    """The columns that stayed behind, and why; all of a table's are told as ``*``."""
    tables = [table["name"] for table in (export.manifest or {}).get("tables", ())]
    whole = [{"table": name, "column": "*", "why": why} for name in tables if (why := why_empty(name)) is not None]
    return whole + [
        {"table": table["name"], "column": column, "why": left_out_of(table["name"])[column].why}
        for table in (export.manifest or {}).get("tables", ())
        for column in table["left_out"]
        if column in left_out_of(table["name"])
    ]


def give_up_export(context: StepContext) -> None:
    """The operation failed for good, or was canceled."""
    export = WorkspaceExport.objects.select_for_update().filter(pk=UUID(context.params["export"])).first()
    if export is not None and export.status == ExportStatus.MAKING:
        export.move_to(ExportStatus.FAILED, error="The archive could not be made; its operation tells why.")


def take_up_export(context: StepContext) -> None:
    """Somebody tries again."""
    export = WorkspaceExport.objects.select_for_update().filter(pk=UUID(context.params["export"])).first()
    if export is not None and export.status == ExportStatus.FAILED:
        export.move_to(ExportStatus.MAKING, error="", expires_at=context.clock() + settings.EXPORT_LIFETIME)


def _export_of(context: StepContext) -> WorkspaceExport:
    found = WorkspaceExport.objects.filter(pk=UUID(context.params["export"])).first()
    if found is None or found.status == ExportStatus.EXPIRED:
        raise StepFailed("This export was deleted.", code="export_expired")
    export: WorkspaceExport = found
    return export


def _audit(workspace: ExportedWorkspace, export: WorkspaceExport, action: str, *, actor: Actor, now: datetime) -> None:
    record_act_in(
        workspace,
        actor=actor,
        action=action,
        target=Target(kind="workspace_export", id=str(export.pk), name=str(export)),
        now=now,
        changes={"sha256": [None, export.sha256]} if export.sha256 else {},
    )
