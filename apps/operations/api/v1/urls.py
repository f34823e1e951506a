"""Addresses of the endpoints of operations."""

from django.urls import path

from apps.operations.api.v1.views import OperationViewSet, WorkspaceOperationViewSet

urlpatterns = [
    path(
        "workspaces/<str:workspace>/operations",
        WorkspaceOperationViewSet.as_view({"get": "list"}),
        name="workspace-operations",
    ),
    path("operations/<str:operation>", OperationViewSet.as_view({"get": "retrieve"}), name="operation"),
    path("operations/<str:operation>/cancel", OperationViewSet.as_view({"post": "cancel"}), name="operation-cancel"),
    path("operations/<str:operation>/retry", OperationViewSet.as_view({"post": "retry"}), name="operation-retry"),
]
