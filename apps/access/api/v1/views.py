"""Keys of programs, and why something was refused."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.api.v1.filters import ApiKeyFilters
from apps.access.api.v1.serializers import ApiKeyOutput, CreateApiKey, DecisionOutput, NewApiKeyOutput, RotateApiKey
from apps.access.selectors.keys import find_decision, find_key, visible_keys
from apps.access.services.keys import create_key, revoke_key, rotate_key
from apps.common.api.outputs import Created, Listing
from apps.common.api.permissions import MEMBER
from apps.common.api.views import ApiView, ApiViewSet


class ApiKeyViewSet(ApiViewSet):
    """Keys of programs: one's own, and of service accounts."""

    required = {
        "list": "keys.manage",
        "create": "keys.manage",
        "retrieve": "keys.manage",
        "destroy": "keys.manage",
        "rotate": "keys.manage",
    }
    inputs = {"create": CreateApiKey, "rotate": RotateApiKey}
    outputs = {
        "list": Listing(ApiKeyOutput, orders=("-created_at", "name"), search=("name", "prefix"), filters=ApiKeyFilters),
        "create": Created(NewApiKeyOutput),
        "retrieve": ApiKeyOutput,
        "destroy": None,
        "rotate": Created(NewApiKeyOutput),
    }
    secret_answers = frozenset({"create", "rotate"})
    allowed_when_not_active = frozenset({"destroy"})

    def list(self, request: Request, workspace: str) -> Response:
        """One's own keys; everybody's for those who manage service accounts."""
        return self.page(visible_keys(workspace_id=self.workspace.id, grant=self.granted))

    def create(self, request: Request, workspace: str) -> Response:
        """Make a key; the answer is the only one that shows it."""
        key = create_key(workspace=self.workspace, **self.read(), actor=self.actor, grant=self.granted, now=self.now)
        return self.created(key, location=f"/api/v1/workspaces/{workspace}/api-keys/{key.row.pk}")

    def retrieve(self, request: Request, workspace: str, key: UUID) -> Response:
        return self.answer(find_key(workspace_id=self.workspace.id, key_id=key, grant=self.granted))

    def destroy(self, request: Request, workspace: str, key: UUID) -> Response:
        """Revoke a key: its next request is refused."""
        revoke_key(workspace=self.workspace, key_id=key, actor=self.actor, grant=self.granted, now=self.now)
        return self.nothing()

    def rotate(self, request: Request, workspace: str, key: UUID) -> Response:
        """Make a key in place of this one, which goes on working for a while."""
        overlap = self.read().get("overlap_seconds")
        new = rotate_key(
            workspace=self.workspace,
            key_id=key,
            actor=self.actor,
            grant=self.granted,
            now=self.now,
            overlap=None if overlap is None else timedelta(seconds=overlap),
        )
        return self.created(new, location=f"/api/v1/workspaces/{workspace}/api-keys/{new.row.pk}")


class DecisionView(ApiView):
    """Why something was refused: what a problem's ``decision_id`` names."""

    required = {"get": MEMBER}
    outputs = {"get": DecisionOutput}

    def get(self, request: Request, workspace: str, decision: UUID) -> Response:
        found = find_decision(
            workspace_id=self.workspace.id, decision_id=decision, actor=self.actor, grant=self.granted
        )
        return self.answer(found)
