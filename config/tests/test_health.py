"""/healthz, /readyz and /metrics, with real parts missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from config import health
from config.celery import app

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_migrated_until", 0.0)


@pytest.fixture
def broker_nowhere() -> Iterator[None]:
    before = app.conf.broker_write_url, app.conf.broker_url
    app.conf.broker_write_url = app.conf.broker_url = NOWHERE
    yield
    app.conf.broker_write_url, app.conf.broker_url = before


def test_alive_needs_nobody(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}  # no `db` fixture: a query would fail


@pytest.mark.django_db
def test_ready_when_every_part_is(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.json() == {
        "status": "ready",
        "checks": {"database": "ok", "migrations": "ok", "cache": "ok", "broker": "ok"},
    }
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db
def test_not_ready_while_a_migration_is_pending(client: Client) -> None:
    MigrationRecorder(connection).record_unapplied("accounts", "0001_initial")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["migrations"].endswith("migrations are pending")
    assert answer["Retry-After"] == "5"


@pytest.mark.django_db
def test_not_ready_without_the_cache(client: Client, settings: Any) -> None:
    settings.CACHES = {name: {**cache, "LOCATION": NOWHERE} for name, cache in settings.CACHES.items()}
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["cache"].startswith("doesn't ")
    assert "127.0.0.1" not in answer.content.decode()


@pytest.mark.django_db
def test_not_ready_without_the_broker(client: Client, broker_nowhere: None) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["broker"] == "doesn't answer"


def test_fault_62_not_ready_without_the_database_but_alive(
    client: Client, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with django_db_blocker.unblock():
        connections.close_all()
        monkeypatch.setitem(connection.settings_dict, "PORT", 1)
        answer = client.get("/readyz")
        connections.close_all()
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "doesn't answer"
    assert client.get("/healthz").status_code == 200


def test_metrics_are_for_this_machine_or_by_token(client: Client, settings: Any) -> None:
    assert "python_info" in client.get("/metrics").content.decode()
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.1").status_code == 401
    assert client.get("/metrics", HTTP_X_FORWARDED_FOR="127.0.0.1").status_code == 401
    settings.METRICS_TOKEN = "right"
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer wrong").status_code == 401
    assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer right", REMOTE_ADDR="192.0.2.1").status_code == 200
