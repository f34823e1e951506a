"""PostgreSQL and Redis really stopped, and started again, under a running process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.core.cache import caches
from django.db import connection
from django.test import Client

from apps.common import rates, redis_access
from apps.common.circuit import Circuit
from config.services import Services, throwaway_services, wait_until
from config.services.postgres import can_connect

pytestmark = pytest.mark.urls("apps.common.tests.outage_urls")


@pytest.fixture(scope="module")
def running() -> Iterator[Services]:
    """Servers of this module's own, whatever the rest of the suite uses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATABASE_URL", raising=False)
        patch.delenv("REDIS_URL", raising=False)
        with throwaway_services() as services:
            yield services


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def own_database(running: Services, django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Django's connection goes to the PostgreSQL of this module."""
    url = urlsplit(running.database_url)
    address = {
        "HOST": url.hostname,
        "PORT": url.port,
        "USER": url.username,
        "PASSWORD": unquote(url.password or ""),
        "NAME": url.path.lstrip("/"),
    }
    with django_db_blocker.unblock():
        usual = {name: connection.settings_dict[name] for name in address}
        connection.close()
        connection.settings_dict.update(address)
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict.update(usual)


@pytest.fixture
def own_redis(running: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process's client and caches go to the Redis of this module."""
    monkeypatch.setattr(django_settings, "REDIS_URL", running.redis_url)
    monkeypatch.setattr(redis_access, "circuit", Circuit("redis", pause=0.5))
    caching = {name: {**cache, "LOCATION": running.redis_url} for name, cache in django_settings.CACHES.items()}
    monkeypatch.setattr(caches, "_settings", None, raising=False)
    monkeypatch.setitem(caches.settings, "global", caching["global"])
    redis_access.client.cache_clear()
    rates._script.cache_clear()
    if hasattr(caches._connections, "global"):
        delattr(caches._connections, "global")
    yield
    redis_access.client.cache_clear()
    rates._script.cache_clear()
    if hasattr(caches._connections, "global"):
        delattr(caches._connections, "global")


def _server(running: Services, kind: str) -> Any:
    return next(server for server in running.servers if type(server.kind).__name__ == kind)


def test_fault_62_postgresql_stopped_is_503_and_heals(running: Services, own_database: None, client: Client) -> None:
    assert client.get("/api/ask").json() == {"answer": 7}
    server = _server(running, "Postgres")
    running.processes.stop([server.child])
    for method in (client.get, client.post):
        for _ in range(3):
            started = time.perf_counter()
            answer = method("/api/ask")
            assert answer.status_code == 503
            assert answer["Content-Type"] == "application/problem+json"
            assert answer.json()["code"] == "database_unavailable"
            assert int(answer["Retry-After"]) >= 1
            assert time.perf_counter() - started < 1
    server.restart(running.processes)
    assert wait_until(lambda: can_connect(running.database_url), seconds=20)
    assert client.get("/api/ask").json() == {"answer": 7}


def test_fault_63_redis_stopped_and_back(
    running: Services, own_redis: None, db: None, client: Client, settings: Any
) -> None:
    settings.RATE_API = "1000/60"
    caches["global"].set("kept", "yes")
    assert caches["global"].get("kept") == "yes"
    server = _server(running, "Redis")
    running.processes.stop([server.child])

    assert client.get("/api/ask").status_code == 200
    started = time.perf_counter()
    for _ in range(20):
        answer = client.get("/api/ask")
        assert answer.status_code == 200
        assert "RateLimit" in answer
        assert client.post("/api/ask").status_code == 200
        assert caches["global"].get("kept") is None
        caches["global"].set("kept", "no")
    assert (time.perf_counter() - started) / 40 < 0.05

    key = uuid4().hex
    statuses = [
        client.post("/api/guarded", {"key": key}, content_type="application/json").status_code for _ in range(4)
    ]
    assert statuses == [200, 200, 200, 429]

    server.restart(running.processes)
    server.kind.wait(server.child, server.port)
    time.sleep(0.6)
    caches["global"].set("kept", "again")
    assert caches["global"].get("kept") == "again"
