"""When periods begin and end."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from apps.billing.services.periods import Period, first_period, following_period

SHANGHAI, BERLIN, LA = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin"), ZoneInfo("America/Los_Angeles")


def chain(reset: str, anchor: date, zone: ZoneInfo, count: int) -> list[Period]:
    now = datetime(anchor.year, anchor.month, anchor.day, 12, tzinfo=zone).astimezone(UTC)
    periods = [first_period(reset=reset, anchor=anchor, zone=zone, now=now)]
    for _ in range(count):
        end = periods[-1].end
        assert end is not None
        periods.append(following_period(periods[-1], reset=reset, anchor=anchor, zone=zone, now=end))
    return periods


@pytest.mark.parametrize("zone", [UTC, SHANGHAI, BERLIN, LA, ZoneInfo("America/Asuncion"), ZoneInfo("Asia/Kathmandu")])
@pytest.mark.parametrize("reset", ["monthly", "daily"])
def test_periods_follow_each_other_without_gap_or_overlap(zone: ZoneInfo, reset: str) -> None:
    periods = chain(reset, date(2026, 1, 31), zone, 800 if reset == "daily" else 60)
    for before, after in pairwise(periods):
        assert before.end == after.start
    local = [period.start.astimezone(zone) for period in periods]
    if reset == "daily":
        assert [moment.date() for moment in local] == [date(2026, 1, 31) + timedelta(days=n) for n in range(801)]
    else:
        assert {(moment.year, moment.month) for moment in local} == {
            (2026 + month // 12, month % 12 + 1) for month in range(61)
        }
        assert local[1].day == 28, "the last day of a month that is too short"
        assert local[2].day == 31, "and the anchor's own day again"


def test_a_month_begins_at_midnight_there() -> None:
    period = first_period(
        reset="monthly", anchor=date(2026, 1, 15), zone=SHANGHAI, now=datetime(2026, 3, 14, 17, tzinfo=UTC)
    )
    assert period == Period(datetime(2026, 3, 14, 16, tzinfo=UTC), datetime(2026, 4, 14, 16, tzinfo=UTC))


def test_a_change_of_time_zone_makes_no_sliver() -> None:
    before = first_period(reset="daily", anchor=date(2026, 1, 1), zone=LA, now=datetime(2026, 6, 1, 12, tzinfo=UTC))
    assert before.end == datetime(2026, 6, 2, 7, tzinfo=UTC)
    after = following_period(before, reset="daily", anchor=date(2026, 1, 1), zone=SHANGHAI, now=before.end)
    assert after.start == before.end
    assert after.end == datetime(2026, 6, 3, 16, tzinfo=UTC)


def test_after_a_long_rest_the_period_is_the_present_one() -> None:
    before = first_period(reset="monthly", anchor=date(2026, 1, 1), zone=BERLIN, now=datetime(2026, 1, 5, tzinfo=UTC))
    now = datetime(2026, 9, 20, tzinfo=UTC)
    after = following_period(before, reset="monthly", anchor=date(2026, 1, 1), zone=BERLIN, now=now)
    assert after.holds(now)
    assert after.start == datetime(2026, 8, 31, 22, tzinfo=UTC)


def test_what_never_resets_has_one_period() -> None:
    period = first_period(reset="never", anchor=date(2026, 1, 1), zone=UTC, now=datetime(2026, 9, 1, tzinfo=UTC))
    assert period.end is None
    with pytest.raises(ValueError, match="never ends"):
        following_period(period, reset="never", anchor=date(2026, 1, 1), zone=UTC, now=datetime(2027, 1, 1, tzinfo=UTC))
