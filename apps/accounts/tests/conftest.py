"""Fixtures of the accounts' tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import caches
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts.services import attempts, presence
from apps.accounts.services.addresses import prove_address
from apps.accounts.services.mfa import activate_totp, begin_totp
from apps.accounts.tests.factories import PASSWORD, code_of
from apps.common.actors import SYSTEM
from apps.common.rates import hit


@pytest.fixture(autouse=True)
def _count_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts and presence start anew in each test."""
    monkeypatch.setattr(caches["global"], "key_prefix", uuid4().hex)
    # The suite's runs share a Redis, and addresses.
    run = uuid4().hex
    monkeypatch.setattr(attempts, "hit", lambda scope, key, rate: hit(scope, f"{run}{key}", rate))
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


@pytest.fixture
def with_totp() -> Callable[..., Any]:
    """``with_totp(user)`` turns two-step sign-in on and returns its secret and recovery codes."""

    def do(person: Any) -> tuple[str, list[str]]:
        now = timezone.now()
        prove_address(user_id=person.pk, email=person.email, now=now)
        begun = begin_totp(user=person, now=now)
        # With the code of the step before, so that the present one is still unused.
        codes = activate_totp(
            user=person, setup=begun.setup, code=code_of(begun.secret, steps=-1), actor=SYSTEM, now=now
        )
        return begun.secret, codes

    return do
