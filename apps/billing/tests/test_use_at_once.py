"""The same key from many callers at once: real threads, real connections, committed transactions."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections
from rest_framework.test import APIClient

from apps.accounts.tests.factories import UserFactory
from apps.billing.models import Quota, Reservation, UsageEvent
from apps.common.tenancy import enter
from apps.workspaces.tests.factories import create_test_workspace

TOKENS = "ai.tokens"
_CALLERS, _THREADS = 50, 10


@pytest.fixture
def owned(committed_database: str) -> tuple[Any, Any]:
    """A committed workspace and its owner."""
    owner = UserFactory()
    return create_test_workspace(owner=owner), owner


def at_once(owned: tuple[Any, Any], path: str, body: Callable[[int], dict[str, Any]]) -> list[Any]:
    """The answers to 50 posts, ten at any moment, each thread with its own connection."""
    workspace, owner = owned
    gate = Barrier(_THREADS)

    def call(number: int) -> Any:
        client = APIClient()
        client.force_authenticate(owner)
        if number < _THREADS:
            gate.wait(timeout=30)
        try:
            return client.post(f"/api/v1/billing/workspaces/{workspace.slug}/{path}", body(number), format="json")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(call, range(_CALLERS)))


@pytest.mark.parametrize("limit", [None, 3], ids=["room", "exactly enough"])
def test_fault_19_the_same_key_counts_once_and_is_answered_the_same(owned: Any, limit: int | None) -> None:
    with enter(owned[0]):
        Quota.objects.update(hard_limit=limit)
    answers = at_once(owned, "consume", lambda _: {"dimension": TOKENS, "amount": 3, "idempotency_key": "k"})
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    with enter(owned[0]):
        assert (Quota.objects.get(dimension=TOKENS).used, UsageEvent.objects.total()) == (3, 3)


def test_fault_19_the_same_key_reserves_once(owned: Any) -> None:
    answers = at_once(owned, "reserve", lambda _: {"dimension": TOKENS, "amount": 3, "idempotency_key": "k"})
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    with enter(owned[0]):
        assert (Quota.objects.get(dimension=TOKENS).reserved, Reservation.objects.count()) == (3, 1)


def test_fault_19_the_same_key_corrects_once_and_nobody_takes_back_more_than_was_used(owned: Any) -> None:
    use = {"dimension": TOKENS, "amount": 20, "idempotency_key": "use"}
    event = at_once(owned, "consume", lambda _: use)[0].json()["id"]
    fix = {"event": event, "amount": 4, "note": "Twice"}
    answers = at_once(owned, "corrections", lambda number: {**fix, "idempotency_key": f"k{number % 25}"})
    statuses = [answer.status_code for answer in answers]
    assert sorted(set(statuses)) == [201, 409]
    done = {answer.content for answer in answers if answer.status_code == 201}
    assert len(done) == 5
    with enter(owned[0]):
        assert (Quota.objects.get(dimension=TOKENS).used, UsageEvent.objects.total()) == (0, 0)
