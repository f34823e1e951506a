"""Fixtures of the accounts' tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import caches
from rest_framework.test import APIClient

from apps.accounts.services import presence
from apps.accounts.tests.factories import PASSWORD


@pytest.fixture(autouse=True)
def _count_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts and presence start anew in each test."""
    monkeypatch.setattr(caches["global"], "key_prefix", uuid4().hex)
    presence.forget()


@pytest.fixture
def sign_in() -> Callable[..., Any]:
    """``sign_in(user)`` signs in by the API and returns the answer's body."""

    def do(user: Any, **fields: Any) -> Any:
        given = {"email": user.email, "password": PASSWORD, **fields}
        response = APIClient().post("/api/v1/auth/login", given, format="json")
        assert response.status_code == 200, response.content
        return response.json()

    return do


@pytest.fixture
def bearer() -> Callable[..., APIClient]:
    """``bearer(token)`` is a client that sends an access token."""

    def make(token: str, **headers: str) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}", **headers)
        return client

    return make
