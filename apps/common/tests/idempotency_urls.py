"""POST views for tests of Idempotency-Key. Each effect is a row: somebody with the name that was sent."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from django.db import transaction
from django.urls import path
from rest_framework.response import Response

from apps.accounts.models import User
from apps.common.api.permissions import SIGNED_IN
from apps.common.api.views import ApiView
from apps.common.errors import Conflict, Denied, InvalidInput, RateLimited, Unavailable

ERRORS = {
    "conflict": Conflict,
    "denied": Denied,
    "invalid": InvalidInput,
    "limited": RateLimited,
    "unavailable": Unavailable,
    "fault": RuntimeError,
}


def add_row(name: str) -> User:
    count = User.objects.filter(name=name).count()
    (row,) = User.objects.all().bulk_create([User(email=f"{name}{count}@example.com", name=name)])
    return row


class AddView(ApiView):
    required = {"post": SIGNED_IN}

    def post(self, request: Any) -> Response:
        row = add_row(request.data["name"])
        error = ERRORS.get(request.data.get("then", ""))
        if error is not None:
            raise error("As it was asked for.")
        return Response({"id": str(row.pk)}, status=201, headers={"Location": f"/rows/{row.pk}"})


class SecretView(AddView):
    secret_answers = frozenset({"post"})

    def post(self, request: Any) -> Response:
        return Response({"key": "the-very-secret"}, status=201)


class SlowView(AddView):
    """Waits inside its transaction until the test lets it go."""

    entered: ClassVar[threading.Event] = threading.Event()
    leave: ClassVar[threading.Event] = threading.Event()

    def post(self, request: Any) -> Response:
        row = add_row(request.data["name"])
        self.entered.set()
        self.leave.wait(20)
        return Response({"id": str(row.pk)}, status=201)


class OwnTransactionsView(SlowView):
    own_transactions = frozenset({"post"})

    def post(self, request: Any) -> Response:
        assert not transaction.get_connection().in_atomic_block
        return super().post(request)


urlpatterns = [
    path("add", AddView.as_view()),
    path("secret", SecretView.as_view()),
    path("slow", SlowView.as_view()),
    path("own", OwnTransactionsView.as_view()),
    path("api/v1/auth/add", AddView.as_view()),
]
