"""A limit held by several web processes: under load, when they are stopped, killed, and halted."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.utils import timezone

from apps.billing.models import Lease, Quota, UsageEvent
from apps.billing.services.leases import DUE_KIND, sweep_leases
from apps.billing.services.quotas import find_quota
from apps.common.tenancy import enter
from apps.runtime.tests import short_leases
from apps.runtime.tests.servers import Web
from apps.workspaces.services.due_work import DueItem
from config.testing.processes import wait_for

REQUESTS = "runtime.requests"


@pytest.fixture
def start(committed_database: str, published: Any, tmp_path: Path) -> Iterator[Callable[..., Web]]:
    """Starts web processes; ``start(3)`` has three workers behind one port."""
    started: list[Web] = []

    def start_one(workers: int = 1, **more: Any) -> Web:
        web = Web(committed_database, tmp_path / f"web-{len(started)}.log", workers=workers, **more)
        started.append(web)
        return web

    yield start_one
    for web in started:
        web.stop()


def limit(workspace: Any, hard: int) -> None:
    with enter(workspace):
        quota = find_quota(workspace=workspace, dimension=REQUESTS, now=timezone.now())
        Quota.objects.filter(pk=quota.pk).update(hard_limit=hard)


def state(workspace: Any) -> tuple[int, int, int]:
    """Used, reserved, and the sum of the ledger."""
    with enter(workspace):
        quota = Quota.objects.get(dimension=REQUESTS)
        return quota.used, quota.reserved, UsageEvent.objects.filter(dimension=REQUESTS).total()


def load(web: Web, url: str, *, callers: int, stop: Callable[[Counter[int]], bool]) -> Counter[int]:
    """Answers by status, of callers that ask one after the other until ``stop``."""
    answers: Counter[int] = Counter()
    lock = threading.Lock()

    def ask() -> None:
        with httpx.Client(base_url=str(web.client.base_url), timeout=15) as client:
            while not stop(answers):
                # A connection of its own each time, so that every worker gets some.
                status = client.get(url, headers={"Connection": "close"}).status_code
                with lock:
                    answers[status] += 1

    threads = [threading.Thread(target=ask) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_several_processes_serve_exactly_the_limit(start: Callable[..., Web], published: Any) -> None:
    workspace, _ = published
    limit(workspace, 300)
    web = start(3)
    until = time.monotonic() + 40
    quiet = [time.monotonic(), 0]

    def is_over(answers: Counter[int]) -> bool:
        if answers[200] != quiet[1]:
            quiet[:] = [time.monotonic(), answers[200]]
        # What an idle process has left is given back, and used by another one.
        patience = settings.LEASE_IDLE.total_seconds() + 2
        return time.monotonic() > until or (answers[402] > 0 and time.monotonic() - quiet[0] > patience)

    answers = load(web, f"/runtime/{workspace.slug}/adder", callers=6, stop=is_over)
    web.stop()
    assert answers[200] == 300
    assert set(answers) == {200, 402}
    assert state(workspace) == (300, 0, 300)
    with enter(workspace):
        reports = UsageEvent.objects.filter(dimension=REQUESTS).count()
        assert reports < 200, "units are reported in blocks"


def test_a_process_that_is_stopped_returns_the_rest(start: Callable[..., Web], published: Any) -> None:
    workspace, _ = published
    web = start()
    for _ in range(23):
        assert web.client.get(f"/runtime/{workspace.slug}/adder").status_code == 200
    assert state(workspace)[1] > 0
    web.stop()
    assert state(workspace) == (23, 0, 23)
    with enter(workspace):
        assert not Lease.objects.exists()


def test_what_a_killed_process_held_comes_back_and_at_most_a_second_is_lost(
    start: Callable[..., Web], published: Any
) -> None:
    workspace, _ = published
    url = f"/runtime/{workspace.slug}/adder"
    web = start()
    for _ in range(10):
        web.client.get(url)
    assert wait_for(lambda: state(workspace)[0] == 10, seconds=5)
    for _ in range(5):
        web.client.get(url)
    web.kill()
    used, reserved, ledger = state(workspace)
    assert 10 <= used <= 15
    assert reserved > 0
    late = timezone.now() + settings.LEASE_LIFETIME + timedelta(seconds=1)
    with enter(workspace):
        assert sweep_leases(DueItem(workspace, DUE_KIND, REQUESTS, late, late)) is None
    assert state(workspace) == (used, 0, ledger)


def test_a_process_halted_beyond_its_leases_end_spends_nothing_of_it(start: Callable[..., Web], published: Any) -> None:
    workspace, _ = published
    url = f"/runtime/{workspace.slug}/adder"
    limit(workspace, 100)
    halted, other = (start(settings_module="apps.runtime.tests.short_leases") for _ in range(2))
    for _ in range(20):
        assert halted.client.get(url).status_code == 200
    assert wait_for(lambda: state(workspace)[0] == 20, seconds=5)
    assert state(workspace)[1] > 0, "it holds more than it has spent"
    os.killpg(halted.process.pid, signal.SIGSTOP)
    try:
        time.sleep(short_leases.LEASE_LIFETIME.total_seconds() + 0.5)
        answers = Counter(other.client.get(url).status_code for _ in range(90))
        assert answers == {200: 80, 402: 10}, "what the halted one held has come back"
        with ThreadPoolExecutor(8) as callers:
            # They wait at its door, and are the first thing that it sees when it goes on.
            waiting = [callers.submit(halted.client.get, url) for _ in range(8)]
            time.sleep(0.5)
            os.killpg(halted.process.pid, signal.SIGCONT)
        assert {each.result().status_code for each in waiting} == {402}
    finally:
        os.killpg(halted.process.pid, signal.SIGCONT)
    halted.stop()
    other.stop()
    assert state(workspace) == (100, 0, 100)
