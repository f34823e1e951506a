"""The platform's addresses."""

from django.urls import include, path

from config import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("api/v1/", include("config.api_v1")),
    path("", include("apps.accounts.urls")),
    path("", include("apps.console.urls")),
]
