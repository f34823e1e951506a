"""The addresses of apps. What acts on one app is reached under it and, for the default app, under the workspace."""

from __future__ import annotations

from django.urls import URLPattern, path

from apps.applications.api.v1.access import AccessPolicyViewSet, PreviewViewSet
from apps.applications.api.v1.publishing import ReleaseViewSet, VersionViewSet
from apps.applications.api.v1.views import AppViewSet, DefinitionSchemaView

_WORKSPACE = "workspaces/<str:workspace>"
_APP = f"{_WORKSPACE}/apps/<str:app>"


def _on_one_app(base: str) -> list[URLPattern]:
    """The same views, whichever address names the app."""
    acts = ("unpublish", "deprecate", "undeprecate", "archive", "unarchive")
    return [
        path(f"{base}/draft", AppViewSet.as_view({"get": "retrieve_draft", "put": "save_draft"})),
        *(path(f"{base}/{act}", AppViewSet.as_view({"post": act})) for act in acts),
        path(f"{base}/versions", VersionViewSet.as_view({"get": "list", "post": "create"})),
        path(f"{base}/versions/<int:number>", VersionViewSet.as_view({"get": "retrieve"})),
        path(f"{base}/versions/<int:a>/diff/<int:b>", VersionViewSet.as_view({"get": "difference"})),
        path(f"{base}/publish", ReleaseViewSet.as_view({"post": "publish"})),
        path(f"{base}/rollback", ReleaseViewSet.as_view({"post": "rollback"})),
        path(f"{base}/releases", ReleaseViewSet.as_view({"get": "list"})),
        path(f"{base}/access-policy", AccessPolicyViewSet.as_view({"get": "retrieve", "patch": "partial_update"})),
        path(f"{base}/preview", PreviewViewSet.as_view({"get": "retrieve"})),
    ]


urlpatterns = [
    path("definition-schema", DefinitionSchemaView.as_view()),
    path(f"{_WORKSPACE}/apps", AppViewSet.as_view({"get": "list", "post": "create"})),
    path(_APP, AppViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"})),
    path(f"{_APP}/duplicate", AppViewSet.as_view({"post": "duplicate"})),
    *_on_one_app(_APP),
    *_on_one_app(_WORKSPACE),
]
