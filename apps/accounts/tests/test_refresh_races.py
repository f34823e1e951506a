"""Refresh tokens under threads, in a database that commits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from rest_framework.test import APIClient

from apps.accounts.models import RefreshToken
from apps.accounts.tests.factories import PASSWORD, UserFactory

THREADS = 8


@pytest.fixture
def signed_in(committed_database):
    person = UserFactory()
    response = APIClient().post("/api/v1/auth/login", {"email": person.email, "password": PASSWORD}, format="json")
    return response.json()


def refresh_all(tokens: list[str]) -> list:
    start = Barrier(len(tokens))

    def one(token: str):
        try:
            start.wait()
            return APIClient().post("/api/v1/auth/refresh", {"refresh": token}, format="json")
        finally:
            connection.close()

    with ThreadPoolExecutor(len(tokens)) as pool:
        return list(pool.map(one, tokens))


def test_fault_65_one_refresh_token_8_times_at_once(signed_in) -> None:
    answers = refresh_all([signed_in["refresh"]] * THREADS)
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200, *[401] * (THREADS - 1)]
    winner = next(answer.json() for answer in answers if answer.status_code == 200)
    for access in (signed_in["access"], winner["access"]):
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
        assert client.get("/api/v1/me").status_code == 401
    late = refresh_all([winner["refresh"], signed_in["refresh"]])
    assert [answer.status_code for answer in late] == [401, 401]
    assert not Session.objects.exists()
    assert not RefreshToken.objects.exists()


def test_fault_65_the_successor_and_its_spent_ancestor_at_once(signed_in) -> None:
    """The family dies whichever comes first, and nothing deadlocks."""
    spent = signed_in["refresh"]
    successor = refresh_all([spent])[0].json()["refresh"]
    answers = refresh_all([successor, spent] * 3)
    assert {answer.status_code for answer in answers} <= {200, 401}
    assert not Session.objects.exists()
    assert not RefreshToken.objects.exists()
