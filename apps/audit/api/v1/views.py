"""The trail of a workspace."""

from __future__ import annotations

from typing import Any

from django.http import StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit.api.v1.filters import AuditFilters, ExportFilters
from apps.audit.api.v1.serializers import AuditEventOutput
from apps.audit.selectors.trail import acts_of_workspace
from apps.audit.services.export import ExportFormat, export_trail
from apps.common.api.filters import apply_filters
from apps.common.api.outputs import Listing, Raw
from apps.common.api.views import WorkspaceViewSet


class AuditViewSet(WorkspaceViewSet):
    """What was done in a workspace, by whom, to what."""

    required = {"list": "audit.view", "export": "audit.export"}
    outputs = {
        "list": Listing(
            AuditEventOutput,
            orders=("-at",),
            search=("actor_name", "action", "target_name"),
            filters=AuditFilters,
        ),
        "export": Raw("text/csv", "The trail, newest first, as CSV (or NDJSON with as=ndjson).", ExportFilters),
    }

    def list(self, request: Request, workspace: str) -> Response:
        """Acts, newest first."""
        return self.page(acts_of_workspace())

    def export(self, request: Request, workspace: str) -> Any:
        """All acts that the filters leave, as one file."""
        acts = apply_filters(acts_of_workspace(), ExportFilters, query=request.query_params, request=request)
        kind = ExportFormat(request.query_params.get("as") or ExportFormat.CSV)
        lines = export_trail(workspace=self.workspace, acts=acts, kind=kind, actor=self.actor, now=self.now)
        response = StreamingHttpResponse(lines, content_type=kind.media_type)
        response["Content-Disposition"] = f'attachment; filename="audit-{self.workspace.slug}.{kind}"'
        return response
