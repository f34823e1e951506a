"""Addresses of workspaces and of those who belong to them."""

from django.urls import path

from apps.workspaces.api.v1 import member_urls
from apps.workspaces.api.v1.registration import RegistrationView
from apps.workspaces.api.v1.views import WorkspaceViewSet

urlpatterns = [
    path("auth/register", RegistrationView.as_view(), name="auth-register"),
    path("workspaces", WorkspaceViewSet.as_view({"get": "list", "post": "create"}), name="workspaces"),
    path(
        "workspaces/<str:workspace>",
        WorkspaceViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="workspace",
    ),
    path("workspaces/<str:workspace>/restore", WorkspaceViewSet.as_view({"post": "restore"}), name="workspace-restore"),
    path(
        "workspaces/<str:workspace>/transfer",
        WorkspaceViewSet.as_view({"post": "transfer"}),
        name="workspace-transfer",
    ),
    *member_urls.urlpatterns,
]
