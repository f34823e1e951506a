"""Views that fail, for tests of what callers see then."""

from __future__ import annotations

from typing import Any

from django.db import OperationalError
from django.urls import path
from rest_framework.response import Response

from apps.common.api.permissions import OPEN
from apps.common.api.views import ApiView
from apps.common.errors import Gone

handler500 = "apps.common.api.faults.server_error"


def broken(request: Any) -> Any:
    raise RuntimeError("secret detail")


def without_database(request: Any) -> Any:
    raise OperationalError("server closed the connection unexpectedly")


def gone(request: Any) -> Any:
    raise Gone


class WithoutDatabase(ApiView):
    required = {"get": OPEN}

    def get(self, request: Any) -> Response:
        raise OperationalError("server closed the connection unexpectedly")


urlpatterns = [
    path("broken", broken),
    path("no-database", without_database),
    path("api/no-database", WithoutDatabase.as_view()),
    path("gone", gone),
]
