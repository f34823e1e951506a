"""202, and ``Prefer: wait``."""

from __future__ import annotations

import time
from typing import Any

import pytest
from rest_framework.response import Response

from apps.common.api import following
from apps.common.api.following import hold_answer, preferred_wait
from apps.common.ids import new_id


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0),
        ("wait=5", 5),
        ("respond-async, wait=10", 10),
        ("WAIT = 3; foo", 3),
        ('wait="7"', 7),
        ("wait=1000", 30),
        ("wait=-1", 0),
        ("wait=soon", 0),
        ("nowait=5", 0),
    ],
)
def test_what_a_caller_prefers(header: str, seconds: float) -> None:
    assert preferred_wait(header) == seconds


@pytest.fixture
def finishes_at(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """An operation that is finished from this moment on."""
    moment = [0.0]

    def read(operation_id: Any) -> dict[str, Any]:
        return {"id": str(operation_id), "status": "succeeded" if time.monotonic() >= moment[0] else "running"}

    monkeypatch.setattr(following, "_reader", read)
    return moment


def test_the_result_comes_when_it_is_there_in_time(finishes_at: list[float]) -> None:
    finishes_at[0] = time.monotonic() + 0.1
    response = Response(None, status=202)
    hold_answer(response, operation_id=new_id(), header="wait=5")
    assert (response.status_code, response.data["status"]) == (200, "succeeded")
    assert response["Preference-Applied"] == "wait=5"
    assert time.monotonic() - finishes_at[0] < 1


def test_it_stays_202_when_it_takes_longer(finishes_at: list[float]) -> None:
    finishes_at[0] = time.monotonic() + 60
    started = time.monotonic()
    response = Response(None, status=202)
    hold_answer(response, operation_id=new_id(), header="wait=1")
    assert (response.status_code, response.data["status"]) == (202, "running")
    assert 0.9 < time.monotonic() - started < 3


def test_no_more_threads_wait_than_there_are_seats(finishes_at: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    finishes_at[0] = time.monotonic() + 60
    seats = following.BoundedSemaphore(1)
    seats.acquire()
    monkeypatch.setattr(following, "_seats", seats)
    started = time.monotonic()
    response = Response(None, status=202)
    hold_answer(response, operation_id=new_id(), header="wait=5")
    assert response.status_code == 202
    assert time.monotonic() - started < 0.5
