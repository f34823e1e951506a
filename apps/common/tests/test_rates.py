"""Rates: counted exactly or nearly, said in headers, and harmless while Redis is down."""

from __future__ import annotations

import ipaddress
import time
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.core.cache import caches
from rest_framework.test import APIClient

from apps.common import rates, redis_access
from apps.common.circuit import Circuit
from apps.common.rates import Rate, RoughCounter, counted_as, hit
from config.services.ports import pick_port

pytestmark = [pytest.mark.django_db, pytest.mark.urls("apps.common.tests.probe_urls")]


@pytest.fixture
def no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis is not there: its port refuses."""
    nobody = redis.Redis(
        port=pick_port(preferred=None, taken=set()), socket_connect_timeout=0.5, retry=redis_access.client().get_retry()
    )
    monkeypatch.setattr(redis_access, "circuit", Circuit("redis", pause=5))
    monkeypatch.setattr(rates, "client", lambda: nobody)
    for name in ("default", "global"):
        monkeypatch.setattr(caches[name]._cache, "get_client", lambda *_, **__: nobody)


def test_a_hit_is_exact() -> None:
    key, rate = uuid4().hex, Rate(3, 60)
    counts = [hit("test", key, rate) for _ in range(4)]
    assert [(count.used, count.remaining, count.allowed) for count in counts] == [
        (1, 2, True),
        (2, 1, True),
        (3, 0, True),
        (4, 0, False),
    ]
    assert 59 < counts[0].resets_in <= 60
    assert hit("other", key, rate).used == 1


def test_a_window_ends() -> None:
    key, rate = uuid4().hex, Rate(1, 1)
    assert [hit("test", key, rate).allowed for _ in range(2)] == [True, False]
    time.sleep(1.05)
    assert hit("test", key, rate).allowed


def test_two_processes_share_a_rough_count() -> None:
    key, rate = uuid4().hex, Rate(20, 60)
    one, two = RoughCounter(), RoughCounter()
    admitted = 0
    for _ in range(40):
        admitted += one.hit("test", key, rate).allowed
        admitted += two.hit("test", key, rate).allowed
    # Each may admit a little before it hears of the other, from nine tenths on nothing.
    assert 20 <= admitted <= 36
    one._clock = two._clock = lambda: time.monotonic() + 1
    assert not one.hit("test", key, rate).allowed
    assert not two.hit("test", key, rate).allowed


def test_one_process_counts_exactly() -> None:
    key, rate, counter = uuid4().hex, Rate(20, 60), RoughCounter()
    assert sum(counter.hit("test", key, rate).allowed for _ in range(50)) == 20


def test_every_answer_says_what_is_left(api: APIClient, settings: Any) -> None:
    settings.RATE_API = "3/60"
    answers = [api.get("/people") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer["RateLimit-Policy"] for answer in answers] == ['"api";q=3;w=60'] * 5
    assert [answer["RateLimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0", "r=0"]
    refused = answers[3]
    assert 55 < int(refused["Retry-After"]) <= 60
    assert refused.json()["code"] == "rate_limited"
    assert refused.json()["decision_id"] == answers[4].json()["decision_id"]
    assert APIClient(REMOTE_ADDR="198.51.100.7").get("/people").status_code == 200


def _unused_address() -> str:
    """An address that no other test calls from: counts outlive a test."""
    return str(ipaddress.IPv4Address(int(ipaddress.IPv4Address("10.0.0.0")) + uuid4().int % 2**24))


def test_refused_calls_count_too(client: Any, settings: Any) -> None:
    settings.RATE_API = "2/60"
    client = APIClient(REMOTE_ADDR=_unused_address())
    assert [client.post("/people", {}).status_code for _ in range(3)] == [401, 401, 429]


def test_fault_63_redis_stopped_slows_nothing(api: APIClient, no_redis: None, settings: Any) -> None:
    settings.RATE_API = "1000/60"
    api.get("/people")
    started = time.perf_counter()
    for _ in range(20):
        answer = api.get("/people")
        assert answer.status_code == 200
        assert "RateLimit" in answer
        caches["global"].set("a", 1)
        assert caches["global"].get("a", "nothing") == "nothing"
    assert (time.perf_counter() - started) / 20 < 0.05
    assert api.post("/people", {"name": "Eve"}, format="json").status_code == 201


def test_fault_63_sign_in_is_still_limited(no_redis: None) -> None:
    key, rate = uuid4().hex, Rate(2, 60)
    assert [hit("sign-in", key, rate).allowed for _ in range(3)] == [True, True, False]


def test_a_circuit_pauses_and_tries_again() -> None:
    now = [0.0]
    circuit = Circuit("part", pause=5, clock=lambda: now[0])
    assert circuit.closed
    circuit.fail(OSError("gone"))
    assert not circuit.closed
    now[0] = 5.1
    assert circuit.closed
    circuit.succeed()
    assert circuit.closed


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
    ],
)
def test_an_ipv6_network_counts_as_one_caller(address: str, counted: str) -> None:
    assert counted_as(address) == counted
