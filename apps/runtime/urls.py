"""The addresses of visitors. The older form (without ``/runtime``) is last among the platform's addresses."""

from django.urls import URLPattern, path

from apps.runtime.views import pages

app_name = "runtime"


def _addresses(prefix: str, name: str) -> list[URLPattern]:
    address = f"{prefix}<slug:workspace>/<slug:app>"
    return [
        path(address, pages.page, name=f"{name}page"),
        path(f"{address}/schema", pages.schema, name=f"{name}schema"),
        path(f"{address}/runs/<str:run>", pages.run, name=f"{name}run"),
    ]


urlpatterns = [*_addresses("runtime/", ""), *_addresses("", "older-")]
