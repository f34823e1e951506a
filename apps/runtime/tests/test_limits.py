"""How often visitors may ask."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client

from apps.runtime.services.counting import connect
from apps.runtime.services.limits import RateLimits, RedisCounts
from apps.runtime.tests.factories import publish_app
from apps.runtime.tests.test_actions import url_of


@pytest.mark.django_db
def test_fault_26_a_flood_from_one_visitor_is_429_and_others_are_served(workspace: Any, client: Client) -> None:
    publish_app(workspace, visitor_limit=5)
    url = url_of(workspace)
    statuses = [client.get(url).status_code for _ in range(9)]
    assert statuses.count(200) == 6, "the first without a cookie, then five with it"
    answer = client.get(url)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert "One moment" in answer.content.decode()
    assert client.get(url, headers={"Accept": "application/json"}).json()["code"] == "rate_limited"
    assert Client().get(url, REMOTE_ADDR="10.0.0.9").status_code == 200


@pytest.mark.django_db
def test_fault_26_throwing_the_cookie_away_does_not_help(workspace: Any) -> None:
    publish_app(workspace, visitor_limit=5)
    statuses = [Client().get(url_of(workspace)).status_code for _ in range(8)]
    assert statuses == [200] * 5 + [429] * 3


@pytest.mark.django_db
def test_an_app_has_a_limit_for_all(workspace: Any) -> None:
    publish_app(workspace, app_limit=3)
    statuses = [Client().get(url_of(workspace), REMOTE_ADDR=f"10.0.0.{n}").status_code for n in range(5)]
    assert statuses == [200, 200, 200, 429, 429]


@pytest.mark.django_db
def test_every_answer_says_what_is_left(workspace: Any, client: Client) -> None:
    publish_app(workspace, visitor_limit=5)
    answer = client.get(url_of(workspace))
    assert answer.headers["RateLimit-Policy"] == '"visitor";q=5;w=60'
    assert answer.headers["RateLimit"].startswith('"visitor";r=4;t=')


class Clock:
    def __init__(self) -> None:
        self.now = 600.0

    def __call__(self) -> float:
        return self.now


def test_a_new_minute_counts_anew() -> None:
    clock = Clock()
    limits = RateLimits(clock=clock)
    assert [limits.take("v", 2).allowed for _ in range(3)] == [True, True, False]
    clock.now += 60
    assert limits.take("v", 2).allowed


def test_processes_add_up_in_redis() -> None:
    clock = Clock()
    shared = RedisCounts(lambda: redis.Redis.from_url(settings.REDIS_URL))
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    one, other = RateLimits(shared, clock=clock), RateLimits(shared, clock=clock)
    for _ in range(3):
        one.take("v", 5)
        other.take("v", 5)
    one.synchronise()
    other.synchronise()
    one.take("v", 5)
    one.synchronise()
    assert not other.take("v", 6).allowed or not one.take("v", 5).allowed
    assert one.take("v", 100).remaining == 100 - 8


def test_fault_63_limits_fail_open_while_redis_is_away(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    away = RedisCounts(connect)
    limits = RateLimits(away, clock=Clock())
    assert limits.take("v", 1).allowed
    limits.synchronise()
    assert not limits.take("v", 1).allowed, "this process still counts for itself"
