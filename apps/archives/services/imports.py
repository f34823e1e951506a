"""Importing workspaces: an archive is received, proved, and becomes a workspace in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction

from apps.archives.errors import ArchiveRefused, TooManyImports
from apps.archives.models import WorkspaceImport
from apps.archives.services.loading import load_archive, require_upgrade
from apps.archives.services.reading import CheckedArchive, check_archive, check_rows
from apps.archives.services.storing import discard, read_stored, store
from apps.archives.states import ImportStatus
from apps.audit.selectors.trail import acts_of_workspace
from apps.audit.services import Target, record_act
from apps.common.actors import Actor
from apps.common.errors import InvalidInput
from apps.common.ids import new_id
from apps.common.names import check_name
from apps.common.tenancy import SchemaRef, enter, enter_public, schema_for
from apps.operations.errors import StepFailed
from apps.operations.services.kinds import StepContext
from apps.operations.services.requests import request_operation
from apps.workspaces.services.adoption import (
    Identity,
    Portrait,
    adopt_workspace,
    read_portrait,
    require_importable,
)

_REPORTED_ROWS = 50_000
#: By how much another installation's clock may be ahead of ours.
_CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ReceivedArchive:
    """An upload, sealed while it arrived. ``identifier`` is the row that it is sealed for."""

    identifier: UUID
    file: IO[bytes]
    sealed_key: str
    size_bytes: int
    sha256: str


def request_import(
    *,
    archive: ReceivedArchive,
    owner: Any,
    actor: Actor,
    now: datetime,
    slug: str | None = None,
    name: str | None = None,
) -> Any:
    """Keep the archive and have it imported as a workspace of ``owner``; the operation's result is the workspace.

    Raises SlugTaken, InvalidInput, TooManyWorkspaces, TooManyImports.
    """
    if name is not None:
        check_name(name)
    require_importable(owner=owner, slug=slug, now=now)
    with enter_public():
        if WorkspaceImport.objects.waiting_of(owner.pk).count() >= settings.IMPORTS_PER_PERSON:
            raise TooManyImports(f"At most {settings.IMPORTS_PER_PERSON} imports at a time. Wait until one is done.")
        stored = store(archive.file, f"imports/{archive.identifier}.tar.zst.sealed")
        with transaction.atomic():
            row: WorkspaceImport = WorkspaceImport.objects.create(
                id=archive.identifier,
                owner=owner,
                workspace_id=new_id(),
                slug=slug or "",
                name=name or "",
                storage_name=stored,
                sealed_key=archive.sealed_key,
                size_bytes=archive.size_bytes,
                sha256=archive.sha256,
                expires_at=now + settings.IMPORT_LIFETIME,
            )
            record_act(
                actor=actor,
                action="workspace.import.request",
                target=Target(kind="workspace_import", id=str(row.pk), name=name or slug or ""),
                now=now,
                changes={"sha256": [None, row.sha256], "size_bytes": [None, row.size_bytes]},
            )
            return request_operation(kind="workspaces.import", target_id=row.pk, actor=actor, now=now)


# The steps of the operation `workspaces.import`.


def check_step(context: StepContext) -> dict[str, Any]:
    """Prove the archive as a whole and look at every row, before anything is made."""
    row = _import_of(context)
    archive = read_stored(row, lambda source: check_archive(source, report=_rows_report(context)))
    _portrait_in(archive, row)
    read_stored(row, lambda source: check_rows(source, archive))
    require_upgrade(archive)
    WorkspaceImport.objects.filter(pk=row.pk, status=ImportStatus.RECEIVED).update(
        tables=len(archive.manifest.tables), rows=archive.manifest.rows, source=_source_of(row, archive)
    )
    return {"rows": archive.manifest.rows, "tables": len(archive.manifest.tables)}


def load_step(context: StepContext) -> dict[str, Any]:
    """Make the schema, load every table, prove the rows, open the workspace: all of it in one transaction.

    A worker that dies leaves nothing; one that comes too late finds the import done. So there is never half a
    workspace, and nothing to be cleared away.
    """
    row = _import_of(context, done_is_fine=True)
    if row.status == ImportStatus.IMPORTED:
        return {"workspace": str(row.workspace_id)}
    archive = read_stored(row, check_archive)
    schema_name = schema_for(row.workspace_id)
    with transaction.atomic():
        locked = WorkspaceImport.objects.select_for_update().get(pk=row.pk)
        if locked.status != ImportStatus.RECEIVED:
            return {"workspace": str(row.workspace_id)}
        fingerprint = load_archive(
            archive,
            schema_name,
            read=lambda load: read_stored(row, load),
            # No progress is written meanwhile: the row of the operation would be locked until the commit, and the
            # heartbeat waits for it.
            between=context.require_lease,
        )
        context.require_lease()
        _require_past_acts(schema_name, now=context.clock())
        workspace = adopt_workspace(
            identity=Identity(row.workspace_id, schema_name),
            fingerprint=fingerprint,
            portrait=_portrait_in(archive, row),
            owner=get_user_model().objects.get(pk=row.owner_id),
            slug=row.slug or None,
            source=_source_of(row, archive),
            actor=context.actor,
            now=context.clock(),
        )
        locked.move_to(ImportStatus.IMPORTED, error="")
    return {"workspace": str(workspace.pk)}


def tidy_step(context: StepContext) -> dict[str, Any]:
    """Delete the archive that was brought; the result is the workspace."""
    row = _import_of(context, done_is_fine=True)
    discard(row.storage_name)
    WorkspaceImport.objects.filter(pk=row.pk).update(storage_name="", sealed_key="")
    return {
        "workspace": str(row.workspace_id),
        "location": f"/api/v1/workspaces/{row.workspace_id}",
        "rows": row.rows,
        "tables": row.tables,
        "sha256": row.sha256,
        "source": row.source,
    }


def give_up_import(context: StepContext) -> None:
    """The operation failed for good, or was canceled. Nothing was made; the file is kept for a while."""
    row = WorkspaceImport.objects.select_for_update().filter(pk=context.target).first()
    if row is not None and row.status == ImportStatus.RECEIVED:
        row.move_to(
            ImportStatus.FAILED,
            error="The archive could not be imported; its operation tells why.",
            expires_at=context.clock() + settings.IMPORT_LIFETIME,
        )


def take_up_import(context: StepContext) -> None:
    """Somebody tries again."""
    row = WorkspaceImport.objects.select_for_update().filter(pk=context.target).first()
    if row is not None and row.status == ImportStatus.FAILED:
        row.move_to(ImportStatus.RECEIVED, error="", expires_at=context.clock() + settings.IMPORT_LIFETIME)


def _rows_report(context: StepContext) -> Callable[[int], None]:
    """Tells now and then how many rows were checked; raises LeaseLost when another worker has taken over."""
    told = 0

    def report(rows: int) -> None:
        nonlocal told
        if rows - told >= _REPORTED_ROWS:
            told = rows
            context.report(10, f"Checked {rows:,} rows.")

    return report


def _import_of(context: StepContext, *, done_is_fine: bool = False) -> WorkspaceImport:
    found = WorkspaceImport.objects.filter(pk=context.target).first()
    usable = {ImportStatus.RECEIVED, ImportStatus.IMPORTED} if done_is_fine else {ImportStatus.RECEIVED}
    if found is None or found.status not in usable:
        raise StepFailed("The archive of this import was deleted. Bring it again.", code="import_expired")
    row: WorkspaceImport = found
    return row


def _require_past_acts(schema_name: str, *, now: datetime) -> None:
    """What the trail says of before the import was told by the archive, and the import's own act divides it from what
    was done here: nothing that was told may stand behind that. Raises ArchiveRefused."""
    with enter(SchemaRef(schema_name)):
        if acts_of_workspace().filter(at__gt=now + _CLOCKS_DIFFER).exists():
            raise ArchiveRefused("The archive's trail tells of acts that are still to come.")


def _portrait_in(archive: CheckedArchive, row: WorkspaceImport) -> Portrait:
    try:
        return read_portrait(archive.described, name=row.name or None)
    except InvalidInput as error:
        first = error.errors[0].detail if error.errors else error.detail
        raise ArchiveRefused(f"The archive's settings can't be a workspace's: {first}"[:300]) from error


def _source_of(row: WorkspaceImport, archive: CheckedArchive) -> dict[str, Any]:
    """Where the archive says that it comes from, and its hash, which nobody could change."""
    return {
        "workspace": str(archive.manifest.workspace["id"]),
        "workspace_slug": str(archive.manifest.workspace["slug"]),
        "exported_at": archive.manifest.made_at,
        "fingerprint": archive.manifest.fingerprint,
        "sha256": row.sha256,
    }
