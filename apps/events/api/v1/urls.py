"""Addresses of the endpoints of events."""

from django.urls import path

from apps.events.api.v1.views import EventViewSet

urlpatterns = [
    path("workspaces/<str:workspace>/events", EventViewSet.as_view({"get": "list"}), name="workspace-events"),
]
