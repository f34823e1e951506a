"""Version 1 of the API: each app brings its own addresses."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("apps.audit.api.v1.urls")),
    path("", include("apps.workspaces.api.v1.urls")),
    path("", include("apps.access.api.v1.urls")),
    path("", include("apps.accounts.api.v1.urls")),
    path("", include("apps.applications.api.v1.urls")),
    path("", include("apps.workflows.api.v1.urls")),
]
