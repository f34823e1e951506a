"""Addresses of keys and decisions."""

from django.urls import path

from apps.access.api.v1.views import ApiKeyViewSet, DecisionView

_HERE = "workspaces/<str:workspace>"

urlpatterns = [
    path(f"{_HERE}/api-keys", ApiKeyViewSet.as_view({"get": "list", "post": "create"})),
    path(f"{_HERE}/api-keys/<uuid:key>", ApiKeyViewSet.as_view({"get": "retrieve", "delete": "destroy"})),
    path(f"{_HERE}/api-keys/<uuid:key>/rotate", ApiKeyViewSet.as_view({"post": "rotate"})),
    path(f"{_HERE}/decisions/<uuid:decision>", DecisionView.as_view()),
]
