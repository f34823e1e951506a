"""The meter of a process: what it spends by itself, what it reports, and when it asks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.billing.models import AppUsage, Lease, Quota, UsageEvent
from apps.billing.services import metering
from apps.billing.services.leases import DUE_KIND, renew_lease, sweep_leases
from apps.billing.services.metering import Meter
from apps.common.errors import QuotaExceeded, Unavailable
from apps.common.ids import new_id
from apps.common.tenancy import enter, enter_public
from apps.plans.models import Dimension
from apps.plans.selectors.dimensions import forget_dimensions
from apps.workspaces.models import DueWork
from apps.workspaces.services.due_work import DueItem

pytestmark = pytest.mark.django_db

REQUESTS, SECONDS = "runtime.requests", "workflow.seconds"
APP = new_id()


class Time:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.moment = timezone.now()

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def make_meter(time: Time) -> Callable[[], Meter]:
    return lambda: Meter(clock=lambda: time.now, wall=lambda: time.moment)


@pytest.fixture
def meter(make_meter: Callable[[], Meter]) -> Meter:
    return make_meter()


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Takes the database away from meters, and gives it back."""

    def fail(**_: Any) -> Any:
        raise OperationalError("the server is away")

    return lambda gone: monkeypatch.setattr(metering, "renew_lease", fail if gone else renew_lease)


def state() -> tuple[int, int, int]:
    quota = Quota.objects.get(dimension=REQUESTS)
    return quota.used, quota.reserved, UsageEvent.objects.filter(dimension=REQUESTS).total()


def spend(meter: Meter, workspace: Any, times: int = 1, app: Any = APP) -> int:
    """How many of so many uses are allowed."""
    return sum(meter.spend(workspace, REQUESTS, app) is None for _ in range(times))


def test_a_block_is_spent_without_a_query(entered: Any, meter: Meter) -> None:
    assert spend(meter, entered) == 1
    with CaptureQueriesContext(connection) as queries:
        assert spend(meter, entered, 7) == 7
    assert not queries.captured_queries
    assert spend(meter, entered, 1) == 1, "the block is used up; the next one is asked for"


def test_reports_are_by_app_and_what_is_left_is_returned(entered: Any, meter: Meter) -> None:
    other = new_id()
    spend(meter, entered, 3)
    spend(meter, entered, 2, other)
    meter.close()
    assert state() == (5, 0, 5)
    assert not Lease.objects.exists()
    hours = AppUsage.objects.filter(bucket="hour", dimension=REQUESTS)
    assert dict(hours.values_list("app_id", "amount")) == {APP: 3, other: 2}
    meter.close()
    assert state() == (5, 0, 5)


def test_it_reports_every_second_and_leases_what_two_seconds_need(entered: Any, meter: Meter, time: Time) -> None:
    for _ in range(6):
        spend(meter, entered, 100)
        time.pass_by(1)
        meter.flush()
    used, reserved, ledger = state()
    assert used == ledger == 600
    assert 100 <= reserved <= 400
    with CaptureQueriesContext(connection) as queries:
        assert spend(meter, entered, 100) == 100
    assert not queries.captured_queries, "the next second's are there already"


def test_an_idle_lease_is_given_back_and_a_forgotten_one_asked_for_anew(entered: Any, meter: Meter, time: Time) -> None:
    spend(meter, entered, 2)
    time.pass_by(1)
    meter.flush()
    assert state()[1] > 0
    time.pass_by(settings.LEASE_IDLE.total_seconds())
    meter.flush()
    assert state() == (2, 0, 2)
    time.pass_by(metering.FORGET_AFTER)
    meter.flush()
    assert spend(meter, entered) == 1


def test_several_processes_serve_exactly_the_limit(
    entered: Any, limit: Any, make_meter: Callable[[], Meter], time: Time
) -> None:
    limit(REQUESTS, 300)
    meters = [make_meter() for _ in range(3)]
    served = 0
    for turn in range(60):
        for number, each in enumerate(meters):
            served += spend(each, entered, 1 + (turn * (number + 3)) % 17)
            each.flush()
        time.pass_by(0.5)
    assert served == 300
    for each in meters:
        each.close()
    assert state() == (300, 0, 300)


def test_a_refusal_says_when_it_ends_and_is_remembered_for_a_moment(
    entered: Any, limit: Any, meter: Meter, time: Time
) -> None:
    limit(REQUESTS, 2)
    assert spend(meter, entered, 2) == 2
    refusal = meter.spend(entered, REQUESTS, APP)
    assert refusal is not None
    assert (refusal.hard_limit, refusal.used) == (2, 2)
    assert refusal.resets_at is not None
    assert refusal.resets_at > timezone.now()
    error = refusal.as_error()
    assert isinstance(error, QuotaExceeded)
    assert error.extra["limit"] == 2
    limit(REQUESTS, 10)
    with CaptureQueriesContext(connection) as queries:
        assert meter.spend(entered, REQUESTS, APP) is refusal
    assert not queries.captured_queries
    assert meter.refuses(entered, REQUESTS)
    time.pass_by(settings.QUOTA_REFUSED_FOR.total_seconds())
    assert not meter.refuses(entered, REQUESTS)
    assert spend(meter, entered) == 1


@pytest.mark.parametrize("limits", [{"hard": None}, {"hard": 10, "overage": True}])
def test_without_a_hard_limit_nothing_is_refused(
    entered: Any, limit: Any, meter: Meter, limits: dict[str, Any]
) -> None:
    limit(REQUESTS, **limits)
    assert spend(meter, entered, 50) == 50
    meter.close()
    quota = Quota.objects.get(dimension=REQUESTS)
    assert (quota.used, quota.reserved) == (50, 0)
    assert quota.overage == (40 if limits.get("overage") else 0)


def test_a_lease_is_not_spent_near_its_end(entered: Any, limit: Any, meter: Meter, time: Time, make_meter: Any) -> None:
    limit(REQUESTS, 80)
    spend(meter, entered)
    time.pass_by(1)
    meter.flush()
    held = Lease.objects.get().units
    assert held >= 1
    time.pass_by((settings.LEASE_LIFETIME - settings.LEASE_MARGIN).total_seconds() - 0.1)
    with CaptureQueriesContext(connection) as queries:
        assert spend(meter, entered) == 1
    assert not queries.captured_queries
    time.pass_by(0.2)
    with CaptureQueriesContext(connection) as queries:
        assert spend(meter, entered) == 1
    assert queries.captured_queries, "a new one is asked for"


def test_whoever_was_stopped_beyond_its_leases_end_spends_nothing_of_it(
    entered: Any, limit: Any, meter: Meter, time: Time, make_meter: Callable[[], Meter]
) -> None:
    limit(REQUESTS, 50)
    stopped, other = meter, make_meter()
    spend(stopped, entered)
    time.pass_by(1)
    stopped.flush()
    assert Lease.objects.get().units > 1
    time.pass_by(settings.LEASE_LIFETIME.total_seconds() + 1)
    assert spend(other, entered, 200) == 49
    assert spend(stopped, entered, 10) == 0
    stopped.close()
    other.close()
    assert state() == (50, 0, 50)


def test_a_hold_is_counted_by_what_was_needed(entered: Any, limit: Any, meter: Meter, time: Time) -> None:
    limit(SECONDS, 7)
    first = meter.hold(entered, SECONDS, 5)
    second = meter.hold(entered, SECONDS, 5)
    assert (first.units, second.units) == (5, 2)
    with pytest.raises(QuotaExceeded):
        meter.hold(entered, SECONDS, 5)
    time.pass_by(1)
    meter.flush()
    assert Quota.objects.get(dimension=SECONDS).reserved == 7, "what is in use isn't reported, and isn't lost"
    first.settle(app_id=APP, amount=2)
    first.settle(app_id=APP, amount=2)
    second.settle(app_id=APP, amount=99)
    assert meter.hold(entered, SECONDS, 5).units == 3
    meter.close()
    assert Quota.objects.get(dimension=SECONDS).used == 4


def test_a_hold_of_an_expired_lease_gives_nothing_back(entered: Any, limit: Any, meter: Meter, time: Time) -> None:
    limit(SECONDS, 8)
    hold = meter.hold(entered, SECONDS, 5)
    time.pass_by(settings.LEASE_LIFETIME.total_seconds() + 1)
    assert meter.hold(entered, SECONDS, 8).units == 8
    hold.settle(app_id=APP, amount=1)
    with pytest.raises(QuotaExceeded):
        meter.hold(entered, SECONDS, 1)


def test_what_is_open_goes_on_without_the_database_and_is_reported_later(
    entered: Any, limit: Any, meter: Meter, time: Time, away: Any
) -> None:
    limit(REQUESTS, 10)
    assert spend(meter, entered) == 1
    away(True)
    assert spend(meter, entered, 14) == 14
    time.pass_by(1)
    meter.flush()
    assert spend(meter, entered, 5) == 5
    away(False)
    time.pass_by(metering.PAUSE_AFTER_FAILURE)
    meter.flush()
    meter.flush()
    time.pass_by(1)
    meter.flush()
    assert state() == (20, 0, 20), "it happened, so it counts"
    assert spend(meter, entered) == 0


def test_what_is_closed_is_refused_without_the_database(entered: Any, meter: Meter, away: Any) -> None:
    with enter_public():
        Dimension.objects.filter(code=REQUESTS).update(on_failure="closed")
    forget_dimensions()
    away(True)
    refusal = meter.spend(entered, REQUESTS, APP)
    assert refusal is not None
    assert isinstance(refusal.as_error(), Unavailable)
    forget_dimensions()


def test_a_report_whose_answer_was_lost_counts_once(
    entered: Any, meter: Meter, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def lose_the_answer(workspace: Any) -> Iterator[None]:
        with enter(workspace):
            yield
        raise OperationalError("the connection broke during COMMIT")

    spend(meter, entered, 3)
    time.pass_by(1)
    monkeypatch.setattr(metering, "enter", lose_the_answer)
    meter.flush()
    assert state()[0] == 3
    spend(meter, entered, 2)
    monkeypatch.setattr(metering, "enter", enter)
    time.pass_by(2)
    meter.close()
    assert state() == (5, 0, 5)


def test_a_forked_process_shares_no_lease(entered: Any, limit: Any) -> None:
    limit(REQUESTS, 100)
    meter = metering.meter
    meter.forget()
    spend(meter, entered)
    mine = meter.holder
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, f"{meter.holder} {len(meter._known())}".encode())
        os._exit(0)
    os.close(writing)
    holder, known = os.read(reading, 200).decode().split()
    os.close(reading)
    os.waitpid(child, 0)
    assert holder != mine
    assert f":{child}:" in holder
    assert known == "0"
    assert meter.holder == mine
    meter.forget()


def test_what_a_dead_process_held_comes_back_without_anybody_asking(entered: Any, meter: Meter, time: Time) -> None:
    spend(meter, entered)
    with enter_public():
        due = DueWork.objects.get(workspace=entered, kind=DUE_KIND)
    assert due.target == REQUESTS
    now = timezone.now()
    assert due.due_at >= now + settings.LEASE_LIFETIME

    def sweep(now: Any) -> Any:
        return sweep_leases(DueItem(entered, DUE_KIND, REQUESTS, due.due_at, now))

    assert sweep(now) > now, "it lives"
    assert Quota.objects.get(dimension=REQUESTS).reserved > 0
    assert sweep(due.due_at) is None
    assert Quota.objects.get(dimension=REQUESTS).reserved == 0
    assert not Lease.objects.exists()


def test_a_workspace_that_is_gone_stops_nobody(entered: Any, meter: Meter, time: Time) -> None:
    class Gone:
        id = new_id()
        schema_name = "ws_gone"

    assert meter.spend(Gone(), REQUESTS, APP) is None
    spend(meter, entered)
    time.pass_by(1)
    meter.flush()
    assert state()[0] == 1
