"""The platform's addresses."""

from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("config.api_v1")),
    path("", include("apps.console.urls")),
]
