"""Workspaces over HTTP."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from apps.common.api.outputs import Created, Listing
from apps.common.api.permissions import KNOWN, SIGNED_IN
from apps.common.api.views import ApiViewSet
from apps.common.revisions import revision_of
from apps.workspaces.api.v1.serializers import (
    TransferInput,
    WorkspaceCreate,
    WorkspaceOutput,
    WorkspaceUpdate,
)
from apps.workspaces.models import Membership
from apps.workspaces.selectors.listing import (
    membership_with_workspace,
    owner_membership,
    visible_memberships,
)
from apps.workspaces.services.creation import create_workspace
from apps.workspaces.services.lifecycle import close_workspace, restore_workspace
from apps.workspaces.services.settings import update_workspace
from apps.workspaces.services.transfer import transfer_workspace


class WorkspaceViewSet(ApiViewSet):
    """The caller's workspaces."""

    required = {
        "list": KNOWN,
        "create": SIGNED_IN,
        "retrieve": "workspace.view",
        "partial_update": "workspace.update",
        "destroy": "workspace.close",
        "restore": "workspace.close",
        "transfer": "workspace.transfer",
    }
    inputs = {"create": WorkspaceCreate, "partial_update": WorkspaceUpdate, "transfer": TransferInput}
    outputs = {
        "list": Listing(
            WorkspaceOutput,
            orders={"-created_at": "workspace__created_at", "name": "workspace__name", "slug": "workspace__slug"},
            search=("workspace__name", "workspace__slug", "workspace__display_name"),
        ),
        "create": Created(WorkspaceOutput),
        "retrieve": WorkspaceOutput,
        "partial_update": WorkspaceOutput,
        "destroy": WorkspaceOutput,
        "restore": WorkspaceOutput,
        "transfer": WorkspaceOutput,
    }
    conditional = {"partial_update": "optional", "destroy": "optional"}
    allowed_when_not_active = frozenset({"destroy", "restore"})

    def list(self, request: Request) -> Response:
        """The workspaces that the caller belongs to."""
        return self.page(visible_memberships(self.actor))

    def create(self, request: Request) -> Response:
        """A new workspace that the caller owns: active at once, or `provisioning` while no schema stands ready."""
        given = self.read()
        workspace = create_workspace(owner=request.user, actor=self.actor, now=self.now, **given)
        return self.created(
            owner_membership(workspace),
            location=f"/api/v1/workspaces/{workspace.slug}",
            revision=revision_of(workspace),
        )

    def retrieve(self, request: Request, workspace: str) -> Response:
        """A workspace, with the caller's role in it."""
        return self._show()

    def partial_update(self, request: Request, workspace: str) -> Response:
        """Change settings. A slug that is given up is kept from others for 90 days."""
        update_workspace(
            workspace_id=self.workspace.pk, changes=self.read(), actor=self.actor, now=self.now, expected=self.expected
        )
        return self._show()

    def destroy(self, request: Request, workspace: str) -> Response:
        """Close the workspace. Its data are kept until `purge_after`; until then it can be restored."""
        close_workspace(workspace_id=self.workspace.pk, actor=self.actor, now=self.now, expected=self.expected)
        return self._show()

    def restore(self, request: Request, workspace: str) -> Response:
        """Undo the closing."""
        restore_workspace(workspace_id=self.workspace.pk, actor=self.actor, now=self.now)
        return self._show()

    def transfer(self, request: Request, workspace: str) -> Response:
        """Hand the workspace over to another member. The present owner becomes an admin."""
        transfer_workspace(workspace_id=self.workspace.pk, actor=self.actor, now=self.now, **self.read())
        return self._show()

    def _show(self) -> Response:
        assert self.grant is not None
        assert self.grant.membership_id is not None
        membership: Membership = membership_with_workspace(self.grant.membership_id)
        return self.answer(membership, revision=revision_of(membership.workspace))
