"""When backups are made by themselves, and which of them go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from apps.billing.tests.factories import set_limit
from apps.common.errors import InvalidInput
from apps.common.ids import new_id
from apps.databases.models import Backup, BackupSchedule
from apps.databases.services.backups.expiry import expire_superfluous, sweep_backups
from apps.databases.services.backups.schedules import check_times, next_run, request_due_backups
from apps.events.models import Event
from apps.operations.models import Operation

_BERLIN = ZoneInfo("Europe/Berlin")


def runs(cron: str, zone: str, start: datetime, count: int) -> list[str]:
    found, moment = [], start
    for _ in range(count):
        moment = next_run(cron, zone, after=moment)
        found.append(moment.astimezone(ZoneInfo(zone)).isoformat())
    return found


class TestClocks:
    def test_time_that_the_clock_skips_comes_at_the_end_of_the_gap_once(self) -> None:
        """On 29 March 2026 there is no half past two in Berlin."""
        start = datetime(2026, 3, 28, 12, tzinfo=_BERLIN).astimezone(UTC)
        assert runs("30 2 * * *", "Europe/Berlin", start, 3) == [
            "2026-03-29T03:00:00+02:00",
            "2026-03-30T02:30:00+02:00",
            "2026-03-31T02:30:00+02:00",
        ]

    def test_time_that_the_clock_shows_twice_comes_once(self) -> None:
        """On 25 October 2026 there are two half past twos in Berlin."""
        start = datetime(2026, 10, 24, 12, tzinfo=_BERLIN).astimezone(UTC)
        assert runs("30 2 * * *", "Europe/Berlin", start, 2) == [
            "2026-10-25T02:30:00+02:00",
            "2026-10-26T02:30:00+01:00",
        ]

    def test_hourly_goes_on_hourly_through_both(self) -> None:
        start = datetime(2026, 10, 24, 23, tzinfo=UTC)
        moments = [start]
        for _ in range(4):
            moments.append(next_run("0 * * * *", "Europe/Berlin", after=moments[-1]))
        assert {later - earlier for earlier, later in pairwise(moments)} == {timedelta(hours=1)}


@pytest.fixture
def database(make_database: Any) -> Any:
    return make_database()


@pytest.mark.django_db
class TestSweep:
    def test_new_database_is_backed_up_daily_at_a_time_of_its_own(self, database: Any) -> None:
        schedule = BackupSchedule.objects.get(database=database)
        minute, hour, *rest = schedule.cron.split()
        assert (0 <= int(minute) < 60, 0 <= int(hour) < 24, rest) == (True, True, ["*", "*", "*"])
        assert timezone.now() < schedule.next_run_at <= timezone.now() + timedelta(days=1)

    def test_missed_runs_come_once(self, database: Any) -> None:
        BackupSchedule.objects.update(cron="0 * * * *", next_run_at=timezone.now() - timedelta(days=3))
        now = timezone.now()
        assert request_due_backups(now=now) == 1
        assert request_due_backups(now=now) == 0
        schedule = BackupSchedule.objects.get()
        assert now < schedule.next_run_at <= now + timedelta(hours=1)
        operation = Operation.objects.get(kind="databases.backup")
        assert operation.params["prove"] is True, "none has been proved yet"
        assert Backup.objects.get().kind == "scheduled"

    def test_one_that_is_still_being_made_is_not_asked_for_again(self, database: Any) -> None:
        BackupSchedule.objects.update(next_run_at=timezone.now() - timedelta(minutes=1))
        assert request_due_backups(now=timezone.now()) == 1
        BackupSchedule.objects.update(next_run_at=timezone.now() - timedelta(minutes=1))
        assert request_due_backups(now=timezone.now()) == 0
        assert Backup.objects.count() == 1

    def test_disabled_and_deleted_are_left_alone(self, database: Any) -> None:
        BackupSchedule.objects.update(next_run_at=timezone.now() - timedelta(minutes=1), enabled=False)
        assert request_due_backups(now=timezone.now()) == 0

    def test_no_room_is_told_and_the_next_time_comes(self, database: Any) -> None:
        set_limit(database.workspace, "backup.bytes", 0)
        a_backup(database, age=1)
        BackupSchedule.objects.update(next_run_at=timezone.now() - timedelta(minutes=1))
        assert request_due_backups(now=timezone.now()) == 0
        assert Event.objects.get(type="backup.refused").data["code"] == "quota_exceeded"
        assert BackupSchedule.objects.get().next_run_at > timezone.now()


@pytest.mark.django_db
class TestRetention:
    def test_beyond_the_count_the_oldest_go(self, database: Any) -> None:
        backups = [a_backup(database, age=age) for age in range(5)]
        keep(database, keep_count=3, keep_days=None)
        assert expire_superfluous(database_id=database.pk, now=timezone.now()) == 2
        assert statuses(backups) == ["stored", "stored", "stored", "expired", "expired"]

    def test_beyond_the_age_they_go_but_the_youngest(self, database: Any) -> None:
        backups = [a_backup(database, age=age) for age in (40, 50)]
        keep(database, keep_days=30)
        expire_superfluous(database_id=database.pk, now=timezone.now())
        assert statuses(backups) == ["stored", "expired"]

    def test_beyond_the_size_the_oldest_go(self, database: Any) -> None:
        backups = [a_backup(database, age=age) for age in range(4)]
        keep(database, keep_count=None, keep_days=None, keep_bytes=25)
        expire_superfluous(database_id=database.pk, now=timezone.now())
        assert statuses(backups) == ["stored", "stored", "expired", "expired"]

    def test_last_proved_one_never_goes(self, database: Any) -> None:
        backups = [a_backup(database, age=age, status=status) for age, status in PROVED]
        keep(database, keep_count=1, keep_days=1)
        expire_superfluous(database_id=database.pk, now=timezone.now())
        assert statuses(backups) == ["stored", "expired", "proved", "expired"]

    @pytest.mark.usefixtures("backup_folder")
    def test_files_are_deleted_when_nobody_reads_them_any_more(self, database: Any) -> None:
        gone, kept = a_backup(database, age=60), a_backup(database, age=0)
        now = timezone.now()
        sweep_backups(now=now)
        gone.refresh_from_db()
        assert (gone.status, gone.deleted_at) == ("expired", None)
        sweep_backups(now=now + timedelta(hours=2))
        gone.refresh_from_db()
        assert gone.deleted_at is not None
        kept.refresh_from_db()
        assert (kept.status, kept.deleted_at) == ("stored", None)


PROVED = [(0, "stored"), (10, "stored"), (20, "proved"), (30, "proved")]


def a_backup(database: Any, *, age: int, status: str = "stored") -> Backup:
    """One of 10 bytes that was stored so many days ago."""
    then = timezone.now() - timedelta(days=age)
    backup: Backup = Backup.objects.create(
        id=new_id(),
        database=database,
        workspace_id=database.workspace_id,
        status=status,
        storage_key=f"databases/{new_id().hex}",
        sealed_key="v1.test.a.b",
        manifest={"key_id": "test"},
        size_bytes=10,
        started_at=then,
        stored_at=then,
        proved_at=then if status == "proved" else None,
    )
    return backup


def keep(database: Any, **limits: Any) -> None:
    BackupSchedule.objects.filter(database=database).update(**limits)


def statuses(backups: list[Backup]) -> list[str]:
    for backup in backups:
        backup.refresh_from_db()
    return [str(backup.status) for backup in backups]


@pytest.mark.parametrize("minutes", ["0,15,30-59", "0,20,40,41"])
@pytest.mark.parametrize("minute", [5, 59])
def test_times_that_are_too_near_are_found_wherever_they_are_in_the_hour(minutes: str, minute: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_times(f"{minutes} * * * *", "UTC", now=datetime(2026, 3, 1, 0, minute, tzinfo=UTC))
    assert [error.code for error in refused.value.errors] == ["too_often"]


def test_times_a_quarter_of_an_hour_apart_are_taken() -> None:
    check_times("*/15 * * * *", "Europe/Berlin", now=datetime(2026, 3, 1, tzinfo=UTC))
    check_times("0 0 29 2 *", "UTC", now=datetime(2026, 3, 1, tzinfo=UTC))
