"""Views that need the database, for tests in which it is stopped."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.urls import path
from rest_framework.response import Response

from apps.common.api.permissions import OPEN
from apps.common.api.views import ApiView
from apps.common.errors import RateLimited
from apps.common.rates import Rate, hit

handler500 = "apps.common.api.faults.server_error"


class AskView(ApiView):
    required = {"get": OPEN, "post": OPEN}

    def get(self, request: Any) -> Response:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 7")
            return Response({"answer": cursor.fetchone()[0]})

    post = get


class GuardedView(ApiView):
    required = {"post": OPEN}

    def post(self, request: Any) -> Response:
        count = hit("sign-in", request.data["key"], Rate(3, 60))
        if not count.allowed:
            raise RateLimited(retry_after=count.resets_in)
        return Response({})


urlpatterns = [path("api/ask", AskView.as_view()), path("api/guarded", GuardedView.as_view())]
