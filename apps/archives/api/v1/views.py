"""Workspaces as files, over HTTP."""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from apps.archives.api.v1.parsers import ArchiveParser
from apps.archives.api.v1.serializers import ExportOutput, ImportWorkspace
from apps.archives.selectors import exports_of
from apps.archives.services.exports import delete_export, find_export, open_download, request_export
from apps.archives.services.imports import request_import
from apps.common.api.outputs import Accepted, Listing, Raw
from apps.common.api.permissions import SIGNED_IN
from apps.common.api.views import ApiView, ApiViewSet


class ExportViewSet(ApiViewSet):
    """The archives of a workspace."""

    required = dict.fromkeys(("list", "create", "retrieve", "destroy", "download"), "workspace.export")
    outputs = {
        "list": Listing(ExportOutput, orders=("-created_at",)),
        "create": Accepted(),
        "retrieve": ExportOutput,
        "destroy": ExportOutput,
        "download": Raw("application/zstd", "The archive: a tar through zstd (docs/workspace-archive.md)."),
    }
    # Whoever leaves takes their data along.
    allowed_when_not_active = frozenset({"create", "destroy"})

    def list(self, request: Request, workspace: str) -> Response:
        """What was exported, newest first."""
        return self.page(exports_of(self.workspace.id))

    def create(self, request: Request, workspace: str) -> Response:
        """Export the workspace: its apps, versions, releases, workflows, runs, trail and settings, as one archive.

        The operation's result tells its size, its SHA-256 and where to download it.
        """
        return self.accepted(request_export(workspace=self.workspace, actor=self.actor, now=self.now).pk)

    def retrieve(self, request: Request, workspace: str, export: UUID) -> Response:
        return self.answer(find_export(workspace_id=self.workspace.id, export_id=export))

    def destroy(self, request: Request, workspace: str, export: UUID) -> Response:
        """Delete the archive before its time."""
        deleted = delete_export(workspace=self.workspace, export_id=export, actor=self.actor, now=self.now)
        return self.answer(deleted)

    def download(self, request: Request, workspace: str, export: UUID) -> Any:
        """The archive itself. Each download is in the trail."""
        found, pieces = open_download(workspace=self.workspace, export_id=export, actor=self.actor, now=self.now)
        return archive_response(found, pieces, slug=self.workspace.slug)


class ImportView(ApiView):
    """Making a workspace of an archive."""

    parser_classes = [ArchiveParser]
    required = {"post": SIGNED_IN}
    inputs = {"post": ImportWorkspace}
    outputs = {"post": Accepted()}

    def post(self, request: Request) -> Response:
        """Import an archive of this or another installation as a workspace of your own.

        The archive is proved before anything is made; a failed import leaves nothing behind. The operation's result
        names the workspace.
        """
        given = self.read()
        return self.accepted(request_import(owner=request.user, actor=self.actor, now=self.now, **given).pk)


def archive_response(export: Any, pieces: Any, *, slug: str) -> StreamingHttpResponse:
    """The file, with its length and its hash (RFC 9530) for those who check."""
    response = StreamingHttpResponse(pieces, content_type="application/zstd")
    response["Content-Length"] = str(export.size_bytes)
    # Packed already: what compresses answers leaves one alone that has an encoding.
    response["Content-Encoding"] = "identity"
    response["Repr-Digest"] = f"sha-256=:{base64.b64encode(bytes.fromhex(export.sha256)).decode()}:"
    name = f"{slug}-{export.created_at:%Y%m%d-%H%M}.apprun.tar.zst"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
