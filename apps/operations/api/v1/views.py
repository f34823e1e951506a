"""Operations over HTTP."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from apps.common.api.following import hold_answer
from apps.common.api.outputs import Listing
from apps.common.api.permissions import KNOWN, require_usable
from apps.common.api.views import ApiViewSet
from apps.common.ids import parse_id
from apps.operations.api.v1.filters import OperationFilters
from apps.operations.api.v1.serializers import OperationOutput
from apps.operations.models import Operation
from apps.operations.selectors.visible import visible_operation
from apps.operations.services.requests import cancel_operation, retry_operation
from apps.operations.services.rights import require_right


class WorkspaceOperationViewSet(ApiViewSet):
    """The operations of one workspace."""

    required = {"list": "operations.view"}
    outputs = {
        "list": Listing(OperationOutput, orders=("-created_at", "kind", "status", "progress"), filters=OperationFilters)
    }

    def list(self, request: Request, workspace: str) -> Response:
        """Running and past operations, newest first."""
        return self.page(Operation.objects.of_workspace(self.workspace.pk))


class OperationViewSet(ApiViewSet):
    """One operation, for whoever asked for it and for members who may see operations."""

    required = {"retrieve": KNOWN, "cancel": KNOWN, "retry": KNOWN}
    outputs = {"retrieve": OperationOutput, "cancel": OperationOutput, "retry": OperationOutput}

    def retrieve(self, request: Request, operation: str) -> Response:
        """How far it is. With `Prefer: wait=N` the answer is held until it is finished, for at most N seconds."""
        found = self._find(operation)
        response = self.answer(found)
        if not found.is_finished:
            hold_answer(response, operation_id=found.pk, header=request.headers.get("Prefer", ""))
        return response

    def cancel(self, request: Request, operation: str) -> Response:
        """Give it up: at once when it waits, before its next step when it runs."""
        found = self._find(operation, to_manage=True)
        return self.answer(cancel_operation(operation_id=found.pk, actor=self.actor, now=self.now))

    def retry(self, request: Request, operation: str) -> Response:
        """Try a failed one again, from the step that failed."""
        found = self._find(operation, to_manage=True)
        return self.answer(retry_operation(operation_id=found.pk, actor=self.actor, now=self.now))

    def _find(self, operation: str, *, to_manage: bool = False) -> Operation:
        found, self.grant = visible_operation(self.actor, parse_id(operation))
        # One that belongs to no workspace is seen by whoever asked for it, who may manage it too.
        if to_manage and self.grant is not None:
            require_right(self.grant, found.kind)
            require_usable(self.request, self, self.grant)
        return found
