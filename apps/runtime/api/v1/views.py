"""What visitors did, for the members of the workspace."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from apps.applications.selectors.apps import find_app
from apps.common.api.pagination import Listing
from apps.common.api.views import WorkspaceViewSet
from apps.runtime.api.v1.filters import EventFilters, SessionFilters
from apps.runtime.api.v1.serializers import EventItem, SessionItem
from apps.runtime.selectors import list_events, list_sessions


class AppVisitsViewSet(WorkspaceViewSet):
    """The events and sessions of one app; ``{app}`` is the id or the slug."""

    required = {"events": "runtime.view", "sessions": "runtime.view"}
    outputs = {
        "events": Listing(EventItem, orders=("-at",), filters=EventFilters),
        "sessions": Listing(SessionItem, orders=("-started_at",), filters=SessionFilters),
    }

    def events(self, request: Request, workspace: str, app: str) -> Response:
        """What visitors did, newest first. Written within a second of the visit."""
        return self.page(list_events(find_app(app).pk))

    def sessions(self, request: Request, workspace: str, app: str) -> Response:
        """Who visited, newest first."""
        return self.page(list_sessions(find_app(app).pk))
