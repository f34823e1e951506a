"""The addresses of what visitors did."""

from django.urls import path

from apps.runtime.api.v1.views import AppVisitsViewSet

_APP = "workspaces/<str:workspace>/apps/<str:app>"

urlpatterns = [
    path(f"{_APP}/events", AppVisitsViewSet.as_view({"get": "events"})),
    path(f"{_APP}/sessions", AppVisitsViewSet.as_view({"get": "sessions"})),
]
