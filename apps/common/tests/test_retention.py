"""Forgetting in batches."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from apps.common.api.idempotency import purge_answers
from apps.common.ids import first_id_at, new_id
from apps.common.models import IdempotencyRecord, RateCount
from apps.common.rates import purge_counts
from apps.common.retention import delete_some, forget_in_batches
from config.env import ROOT


class Heap:
    """So many rows to forget; remembers the sizes of the batches."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.batches: list[int] = []

    def forget(self, limit: int) -> int:
        deleted = min(limit, self.size)
        self.size -= deleted
        self.batches.append(deleted)
        return deleted


def _sample(name: str, job: str) -> float:
    return REGISTRY.get_sample_value(name, {"job": job}) or 0.0


@pytest.mark.parametrize(("size", "batches"), [(0, [0]), (9, [9]), (10, [10, 0]), (25, [10, 10, 5])])
def test_a_run_goes_on_until_a_batch_is_not_full(settings: Any, size: int, batches: list[int]) -> None:
    settings.RETENTION_BATCH = 10
    heap = Heap(size)
    forgotten = forget_in_batches("test.run", heap.forget)
    assert (forgotten.count, forgotten.is_finished, heap.batches) == (size, True, batches)


def test_a_run_that_takes_too_long_stops_and_the_next_goes_on(settings: Any) -> None:
    settings.RETENTION_BATCH, settings.RETENTION_RUN = 10, timedelta(0)
    heap = Heap(15)
    assert not forget_in_batches("test.long", heap.forget).is_finished
    assert forget_in_batches("test.long", heap.forget).is_finished
    assert heap.batches == [10, 5]


def test_runs_are_counted_and_the_last_that_came_to_its_end_is_told(settings: Any) -> None:
    settings.RETENTION_BATCH, settings.RETENTION_RUN = 10, timedelta(0)
    heap = Heap(15)
    forget_in_batches("test.counted", heap.forget)
    assert _sample("apprun_retention_deleted_total", "test.counted") == 10
    assert _sample("apprun_retention_last_run_timestamp_seconds", "test.counted") == 0
    forget_in_batches("test.counted", heap.forget)
    assert _sample("apprun_retention_deleted_total", "test.counted") == 15
    assert _sample("apprun_retention_last_run_timestamp_seconds", "test.counted") > 0


def test_a_failure_is_not_taken_for_an_end() -> None:
    def fail(limit: int) -> int:
        raise OSError

    with pytest.raises(OSError):
        forget_in_batches("test.failed", fail)
    assert _sample("apprun_retention_last_run_timestamp_seconds", "test.failed") == 0


@pytest.mark.django_db
def test_some_rows_are_the_first_in_their_order() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(5):
        RateCount.objects.create(bucket=f"test:{number}", used=1, until=start + timedelta(days=number))
    rows = RateCount.objects.filter(bucket__startswith="test:").order_by("until")
    assert delete_some(rows, 2) == 2
    assert list(rows.values_list("bucket", flat=True)) == ["test:2", "test:3", "test:4"]
    assert delete_some(rows.none(), 2) == 0


@pytest.mark.django_db
def test_answers_and_counts_are_kept_up_to_the_border(settings: Any) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for number, beside in enumerate((-1, 0, 1)):
        tick = timedelta(microseconds=beside)
        made = now - settings.IDEMPOTENCY_RETENTION + tick
        IdempotencyRecord.objects.create(caller="test", key=str(number), created_at=made)
        RateCount.objects.create(bucket=f"border:{number}", used=1, until=now + tick)
    assert (purge_answers(now=now), purge_counts(now=now)) == (1, 1)
    assert set(IdempotencyRecord.objects.filter(caller="test").values_list("key", flat=True)) == {"1", "2"}
    assert RateCount.objects.filter(bucket__startswith="border:").count() == 2


def test_ids_made_before_a_moment_are_less_than_its_first() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=2)
    made = new_id()
    after = datetime.now(UTC) + timedelta(milliseconds=2)
    assert first_id_at(before) < made < first_id_at(after)
    assert first_id_at(before).version == 7


def test_the_operators_page_names_every_job_and_every_setting() -> None:
    page = (ROOT / "docs/operations/retention.md").read_text()
    numbers = (ROOT / "config/settings/parts/platform.py").read_text()
    sources = [path.read_text() for path in (ROOT / "apps").rglob("*.py") if "tests" not in path.parts]
    jobs = {
        job for text in sources for job in re.findall(r'(?:forget_in_batches|register_retention)\(\s*"(.+?)"', text)
    }
    kept = set(re.findall(r"^([A-Z_]+_RETENTION) =", numbers, re.MULTILINE))
    assert len(jobs) >= 8
    assert len(kept) >= 8
    assert [name for name in sorted(jobs | kept) if f"`{name}`" not in page] == []
