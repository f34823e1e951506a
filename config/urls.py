"""The platform's addresses."""

from django.urls import include, path, re_path

from apps.common.api import documentation
from apps.common.api.faults import UnroutedView
from config import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("api/v1/", include("config.api_v1")),
    path("api/docs", documentation.explorer, name="api-docs"),
    path("api/docs/reference", documentation.reference, name="api-reference"),
    path("api/docs/problems", documentation.problems, name="api-problems"),
    re_path(r"^api(?:/.*)?$", UnroutedView.as_view()),
    path("", include("apps.accounts.urls")),
    path("", include("apps.workspaces.urls")),
    path("", include("apps.console.urls")),
    # Last: its older addresses are two words of a visitor's choice.
    path("", include("apps.runtime.urls")),
]

handler400 = "apps.common.api.faults.bad_request"
handler403 = "apps.common.api.faults.permission_denied"
handler404 = "apps.common.api.faults.not_found"
handler500 = "apps.common.api.faults.server_error"
