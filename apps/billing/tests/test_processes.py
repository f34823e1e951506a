"""Limits and periods under several processes with several threads each, some of them killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Sum
from django.utils import timezone

from apps.accounts.tests.factories import UserFactory
from apps.billing.models import ClosedPeriod, Quota, Reservation, UsageEvent
from apps.billing.selectors.truth import sum_up
from apps.billing.services.quotas import find_quota
from apps.billing.services.upkeep import give_back_all_expired
from apps.billing.tests.factories import set_limit
from apps.common.tenancy import enter
from apps.workspaces.tests.factories import create_test_workspace
from config.env import ROOT

DIMENSION = "runtime.requests"

Start = Callable[..., list[subprocess.Popen[str]]]


@pytest.fixture
def entered(committed_database: str) -> Iterator[Any]:
    """A committed workspace, entered."""
    workspace = create_test_workspace(owner=UserFactory())
    with enter(workspace):
        yield workspace


@pytest.fixture
def start(committed_database: str, entered: Any) -> Iterator[Start]:
    """Starts processes that do ``what`` in so many threads each, and lets them go at the same moment."""
    started: list[subprocess.Popen[str]] = []

    def go(
        what: str, *, processes: int, threads: int, before: Callable[[], None] = lambda: None
    ) -> list[subprocess.Popen[str]]:
        settings = {"DJANGO_SETTINGS_MODULE": "config.settings.test", "DATABASE_URL": committed_database}
        environment = {**os.environ, **settings}
        command = [sys.executable, "-m", "apps.billing.tests.consumer", str(entered.pk), str(threads), what]
        mine = [
            subprocess.Popen(
                command,
                cwd=ROOT,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
            )
            for _ in range(processes)
        ]
        started.extend(mine)
        for process in mine:
            assert _line(process) == "ready"
        before()
        for process in mine:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        return mine

    yield go
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def results(processes: list[subprocess.Popen[str]]) -> list[dict[str, Any]]:
    return [json.loads(_line(process)) for process in processes]


def test_fault_18_64_concurrent_consumers_of_the_last_10_units(entered: Any, start: Start) -> None:
    set_limit(entered, DIMENSION, 10)
    found = results(start("once", processes=2, threads=32))
    assert sum(result["counted"] for result in found) == 10
    assert sum(result["refused"] for result in found) == 54
    assert Quota.objects.get(dimension=DIMENSION).used == 10 == UsageEvent.objects.total()


def test_fault_19_the_same_key_50_times_at_once_from_two_processes(entered: Any, start: Start) -> None:
    set_limit(entered, DIMENSION, 1)
    found = results(start("same_key", processes=2, threads=25))
    answers = [answer for result in found for answer in result["answers"]]
    assert sum(result["counted"] for result in found) == 50
    assert all(answer == answers[0] for answer in answers)
    assert UsageEvent.objects.total() == 1


def test_fault_20_what_a_killed_process_reserved_expires(entered: Any, start: Start) -> None:
    set_limit(entered, DIMENSION, 5)
    (process,) = start("reserve_and_hang", processes=1, threads=1)
    held = json.loads(_line(process))["held"]
    process.kill()
    process.wait()
    assert Quota.objects.get(dimension=DIMENSION).reserved == 5
    ends = Reservation.objects.get(pk=held).expires_at
    assert give_back_all_expired(workspace=entered, now=ends - timedelta(milliseconds=1)) == 0
    assert give_back_all_expired(workspace=entered, now=ends) == 5
    assert Reservation.objects.get(pk=held).status == "expired"
    assert Quota.objects.get(dimension=DIMENSION).reserved == 0


def test_fault_20_what_a_killed_process_did_not_commit_never_counted(entered: Any, start: Start) -> None:
    (process,) = start("consume_and_hang", processes=1, threads=1)
    assert json.loads(_line(process)) == {"used": 1}
    process.kill()
    process.wait()
    set_limit(entered, DIMENSION, 1)
    assert not UsageEvent.objects.exists()
    (result,) = results(start("once", processes=1, threads=1))
    assert result["counted"] == 1, "its lock went with it"


def test_fault_22_a_period_that_ends_while_it_is_used_loses_and_doubles_nothing(entered: Any, start: Start) -> None:
    quota = find_quota(workspace=entered, dimension=DIMENSION, now=timezone.now())

    def end_soon() -> None:
        ends = timezone.now() + timedelta(seconds=1)
        Quota.objects.filter(pk=quota.pk).update(period_end=ends, valid_until=ends, hard_limit=None)

    found = results(start("over_the_end", processes=2, threads=2, before=end_soon))
    counted = sum(result["counted"] for result in found)
    closed = ClosedPeriod.objects.aggregate(total=Sum("used"))["total"]
    present = Quota.objects.get(dimension=DIMENSION)
    assert closed + present.used == counted == UsageEvent.objects.total()
    assert closed
    assert present.used
    assert UsageEvent.objects.in_period(DIMENSION, quota.period_start).total() == closed
    assert UsageEvent.objects.in_period(DIMENSION, present.period_start).total() == present.used
    assert all(sums.agree for sums in sum_up([DIMENSION]))
