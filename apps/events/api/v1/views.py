"""Events over HTTP."""

from __future__ import annotations

from django_filters import CharFilter, IsoDateTimeFilter
from rest_framework.request import Request
from rest_framework.response import Response

from apps.common.api.filters import Filters
from apps.common.api.outputs import Listing
from apps.common.api.views import ApiViewSet
from apps.events.api.v1.serializers import EventOutput
from apps.events.models import Event


class EventFilters(Filters):
    """By type and time."""

    type = CharFilter()
    since = IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = Event
        fields: list[str] = []


class EventViewSet(ApiViewSet):
    """What happened in one workspace."""

    required = {"list": "events.view"}
    outputs = {"list": Listing(EventOutput, orders=("-at",), filters=EventFilters)}

    def list(self, request: Request, workspace: str) -> Response:
        """What happened, newest first."""
        return self.page(Event.objects.of_workspace(self.workspace.pk))
