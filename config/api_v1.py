"""Version 1 of the API: each app brings its own addresses."""

from django.urls import URLPattern, URLResolver, include, path

from apps.common.api.batch import BatchView
from apps.common.api.documentation import OpenApiView

urlpatterns: list[URLPattern | URLResolver] = [
    path("schema", OpenApiView.as_view(), name="openapi"),
    path("batch", BatchView.as_view(), name="batch"),
    path("", include("apps.audit.api.v1.urls")),
    path("", include("apps.archives.api.v1.urls")),
    path("", include("apps.workspaces.api.v1.urls")),
    path("", include("apps.access.api.v1.urls")),
    path("", include("apps.accounts.api.v1.urls")),
    path("", include("apps.databases.api.v1.urls")),
    path("", include("apps.applications.api.v1.urls")),
    path("", include("apps.workflows.api.v1.urls")),
    path("", include("apps.runtime.api.v1.urls")),
    path("", include("apps.operations.api.v1.urls")),
    path("", include("apps.events.api.v1.urls")),
    path("", include("apps.plans.api.v1.urls")),
    path("", include("apps.billing.api.v1.urls")),
]
