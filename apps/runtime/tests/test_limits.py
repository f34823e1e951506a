"""How often visitors may ask."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from apps.common.ids import new_id
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
def test_fault_26_a_flood_does_not_use_up_the_apps_limit(workspace: Any, client: Client) -> None:
    publish_app(workspace, visitor_limit=2, app_limit=10)
    for _ in range(30):
        client.get(url_of(workspace))
    assert Client().get(url_of(workspace), REMOTE_ADDR="10.0.0.9").status_code == 200


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
    clock, visitor = Clock(), uuid4().hex
    one, other = RateLimits(RedisCounts(connect), clock=clock), RateLimits(RedisCounts(connect), clock=clock)
    for _ in range(3):
        one.take(visitor, 6)
        other.take(visitor, 6)
    one.synchronise()
    other.synchronise()
    assert other.take(visitor, 100).remaining == 100 - 7, "three of its own, three of the other's, and this one"
    assert not other.take(visitor, 6).allowed


def test_fault_63_limits_fail_open_while_redis_is_away(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    away = RedisCounts(connect)
    limits = RateLimits(away, clock=Clock())
    assert limits.take("v", 1).allowed
    limits.synchronise()
    assert not limits.take("v", 1).allowed, "this process still counts for itself"


@pytest.mark.django_db
def test_fault_26_addresses_of_one_ipv6_network_are_one_visitors(workspace: Any) -> None:
    publish_app(workspace, visitor_limit=3)
    url = url_of(workspace)
    statuses = [Client().get(url, REMOTE_ADDR=f"2001:db8:1:2::{n}").status_code for n in range(5)]
    assert statuses == [200] * 3 + [429] * 2
    assert Client().get(url, REMOTE_ADDR="2001:db8:1:3::1").status_code == 200


def test_addresses_without_an_app_are_counted_before_they_are_looked_up(
    workspace: Any, settings: Any, django_assert_num_queries: Any
) -> None:
    publish_app(workspace)
    settings.RATE_RUNTIME_UNKNOWN = "3/60"
    guesser, other = (Client(REMOTE_ADDR=f"2001:db8:{new_id().hex[-4:]}:{n}::1") for n in (1, 2))
    assert guesser.get(url_of(workspace)).status_code == 200  # this process sees it for the first time
    assert [guesser.get(f"/runtime/nobody/app-{n}").status_code for n in range(2)] == [404, 404]
    with django_assert_num_queries(0):
        refused = [guesser.get(f"/runtime/nobody/more-{n}?preview=x" if n else "/runtime/nobody/more") for n in (0, 1)]
    assert [answer.status_code for answer in refused] == [429, 429]
    assert 1 <= int(refused[0]["Retry-After"]) <= 60
    assert guesser.get(url_of(workspace)).status_code == 200
    assert other.get("/runtime/nobody/more").status_code == 404
