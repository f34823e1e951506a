"""How often one may try, with Redis and without."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.core.cache import caches
from rest_framework.test import APIClient

from apps.accounts.tests.factories import PASSWORD
from apps.common import redis_access
from apps.common.models import RateCount

pytestmark = pytest.mark.django_db
LOGIN = "/api/v1/auth/login"


@pytest.fixture
def redis_is_down(settings, monkeypatch) -> None:
    """Nobody listens where the settings say that Redis is."""
    nowhere = "redis://127.0.0.1:9/0"
    settings.REDIS_URL = nowhere
    settings.CACHES = {name: {**cache, "LOCATION": nowhere} for name, cache in settings.CACHES.items()}
    for name in ("default", "global"):
        monkeypatch.delattr(caches._connections, name, raising=False)
    forget_connections()
    yield
    forget_connections()
    for name in ("default", "global"):
        if hasattr(caches._connections, name):
            delattr(caches._connections, name)


def forget_connections() -> None:
    for made in vars(redis_access).values():
        if hasattr(made, "cache_clear"):
            made.cache_clear()
    redis_access.circuit.succeed()


def attempt(email: str, password: str, **extra: Any) -> Any:
    return APIClient(**extra).post(LOGIN, {"email": email, "password": password}, format="json")


def test_ten_attempts_a_minute_for_an_account_and_address(user, settings, time_machine) -> None:
    time_machine.move_to("2026-05-01T12:00:05Z")  # windows are whole minutes
    settings.RATE_SIGN_IN = "10/60"
    assert [attempt(user.email, "not this one").status_code for _ in range(10)] == [401] * 10
    limited = attempt(user.email.upper(), PASSWORD)
    assert (limited.status_code, limited.json()["code"]) == (429, "too_many_attempts")
    assert 1 <= int(limited["Retry-After"]) <= 60
    assert attempt(user.email, PASSWORD, REMOTE_ADDR="198.51.100.9").status_code == 200
    assert attempt("other@example.com", PASSWORD).status_code == 401


def test_many_addresses_together_are_limited_for_an_account(user, settings) -> None:
    settings.RATE_SIGN_IN = "2/60"
    settings.RATE_SIGN_IN_ACCOUNT = "4/3600"
    # What one address is refused isn't counted against the account.
    assert [attempt(user.email, "not this one").status_code for _ in range(6)] == [401] * 2 + [429] * 4
    others = [
        attempt(email, "not this one", REMOTE_ADDR=f"198.51.100.{number}")
        for number, email in enumerate([user.email, user.email.upper(), f" {user.email}"])
    ]
    assert [answer.status_code for answer in others] == [401, 401, 429]
    assert int(others[-1]["Retry-After"]) > 60
    assert attempt("other@example.com", PASSWORD, REMOTE_ADDR="198.51.100.1").status_code == 401


def test_the_limit_ends_with_its_window(user, settings) -> None:
    settings.RATE_SIGN_IN = "2/1"
    statuses = [attempt(user.email, "not this one").status_code for _ in range(3)]
    assert statuses == [401, 401, 429]
    time.sleep(1.1)
    assert attempt(user.email, PASSWORD).status_code == 200


def test_fault_63_signing_in_works_while_redis_is_down(user, redis_is_down) -> None:
    signed_in = attempt(user.email, PASSWORD)
    assert signed_in.status_code == 200
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {signed_in.json()['access']}")
    assert client.get("/api/v1/me").status_code == 200
    refreshed = APIClient().post("/api/v1/auth/refresh", {"refresh": signed_in.json()["refresh"]}, format="json")
    assert refreshed.status_code == 200
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {refreshed.json()['access']}")
    assert client.post("/api/v1/auth/logout").status_code == 204
    assert client.get("/api/v1/me").status_code == 401


def test_fault_63_the_limit_holds_while_redis_is_down(user, settings, redis_is_down, time_machine) -> None:
    time_machine.move_to("2026-05-01T12:00:05Z")  # windows are whole minutes
    settings.RATE_SIGN_IN = "3/60"
    statuses = [attempt(user.email, "not this one").status_code for _ in range(4)]
    assert statuses == [401, 401, 401, 429]
    assert attempt(user.email, PASSWORD).status_code == 429


def test_fault_63_the_sign_in_page_works_while_redis_is_down(user, redis_is_down, client) -> None:
    response = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert response.status_code == 302
    assert client.get("/accounts/").status_code == 200


def test_codes_are_limited_for_the_account_wherever_they_come_from(user, settings, with_totp) -> None:
    with_totp(user)  # the first code
    settings.RATE_SIGN_IN = "4/60"
    statuses = [
        APIClient(REMOTE_ADDR=f"198.51.100.{number}")
        .post(LOGIN, {"email": user.email, "password": PASSWORD, "totp": "000000"}, format="json")
        .status_code
        for number in range(4)
    ]
    assert statuses == [401, 401, 401, 429]


def test_asking_for_mail_is_limited_for_an_address(settings, db) -> None:
    settings.RATE_SIGN_IN = "2/60"
    client = APIClient(REMOTE_ADDR="198.51.100.20")
    statuses = [
        client.post("/api/v1/auth/password/forgot", {"email": f"a{number}@example.com"}, format="json").status_code
        for number in range(3)
    ]
    assert statuses == [204, 204, 429]


def test_the_attempts_table_is_no_plain_list_of_addresses(user, redis_is_down) -> None:
    attempt(user.email, "not this one")
    assert not RateCount.objects.filter(bucket__contains=user.email).exists()
    assert RateCount.objects.exists()


def test_addresses_of_one_ipv6_network_are_one_callers(user, settings) -> None:
    settings.RATE_SIGN_IN = "3/60"
    given = {"email": user.email, "password": "not this one"}
    codes = [
        APIClient(REMOTE_ADDR=f"2001:db8::{number}").post("/api/v1/auth/login", given, format="json").status_code
        for number in range(5)
    ]
    assert codes == [401] * 3 + [429] * 2
