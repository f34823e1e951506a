"""Who may visit an app, and previews of its draft, over HTTP."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from apps.applications.api.v1.serializers import AccessPolicyChanges, AccessPolicyItem, PreviewItem
from apps.applications.api.v1.views import AppActions
from apps.applications.selectors.apps import find_access_policy
from apps.applications.services.access_policies import change_access_policy
from apps.applications.services.previews import make_preview


class AccessPolicyViewSet(AppActions):
    """An app's access policy."""

    required = {"retrieve": "apps.view", "partial_update": "apps.access"}
    inputs = {"partial_update": AccessPolicyChanges}
    outputs = {"retrieve": AccessPolicyItem, "partial_update": AccessPolicyItem}
    conditional = {"partial_update": "optional"}

    def retrieve(self, request: Request, workspace: str, app: str | None = None) -> Response:
        """Who may visit the app, how often, from where."""
        return self.answer(find_access_policy(self.app))

    def partial_update(self, request: Request, workspace: str, app: str | None = None) -> Response:
        """Change the policy; it counts from the next request on. An audience of people whom nobody knows needs the
        permission apps.expose.
        """
        policy = change_access_policy(
            app_id=self.app_id,
            workspace=self.workspace,
            actor=self.actor,
            changes=self.read(),
            may_expose=self.may_expose,
            expected=self.expected,
            now=self.now,
        )
        return self.answer(policy)


class PreviewViewSet(AppActions):
    """A look at the draft before it is published."""

    required = {"retrieve": "apps.view"}
    outputs = {"retrieve": PreviewItem}

    def retrieve(self, request: Request, workspace: str, app: str | None = None) -> Response:
        """An address that shows the draft, for a quarter of an hour, to whoever has it."""
        preview = make_preview(app=self.app, workspace=self.workspace, actor=self.actor, now=self.now)
        return self.answer(preview)
