"""Addresses of archives. They stand before those of workspaces: no workspace is called import."""

from django.urls import path

from apps.archives.api.v1.views import ExportViewSet, ImportView

_HERE = "workspaces/<str:workspace>"

urlpatterns = [
    path("workspaces/import", ImportView.as_view(), name="workspace-import"),
    path(f"{_HERE}/export", ExportViewSet.as_view({"post": "create"}), name="workspace-export"),
    path(f"{_HERE}/exports", ExportViewSet.as_view({"get": "list"}), name="exports"),
    path(
        f"{_HERE}/exports/<uuid:export>", ExportViewSet.as_view({"get": "retrieve", "delete": "destroy"}), name="export"
    ),
    path(f"{_HERE}/exports/<uuid:export>/download", ExportViewSet.as_view({"get": "download"}), name="export-download"),
]
