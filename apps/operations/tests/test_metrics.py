"""Operations in ``/metrics``: right whatever process is asked, and for good."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from apps.common.actors import SYSTEM
from apps.operations.errors import LeaseLost
from apps.operations.models import Operation, OperationTally
from apps.operations.selectors.load import outcome_sums
from apps.operations.services.engine import claim_operation, run_operation
from apps.operations.services.outcomes import finish
from apps.operations.services.requests import cancel_operation, request_operation, retry_operation
from apps.operations.services.retention import forget_finished_operations
from apps.operations.services.tallies import fold_tallies
from apps.operations.tests import probe

KIND = {"kind": "probe.work"}


def ask(workspace: Any = None, **params: Any) -> Operation:
    return request_operation(
        kind="probe.work",
        target_id=uuid4(),
        workspace_id=workspace.pk if workspace else None,
        actor=SYSTEM,
        now=timezone.now(),
        params=params,
    )


def run(operation: Operation) -> None:
    run_operation(operation_id=operation.pk, owner="test", clock=timezone.now)


def scrape() -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = Client().get("/metrics").content.decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(name: str, **labels: str) -> float:
    return scrape()[name, frozenset(labels.items())]


@pytest.fixture
def table(db: None) -> None:
    probe.make_table()


def test_what_waits_and_runs_by_queue(table: None) -> None:
    now = timezone.now()
    oldest, held, later, busy = ask(), ask(), ask(), ask()
    Operation.objects.filter(pk=oldest.pk).update(waiting_since=now - timedelta(minutes=7))
    Operation.objects.filter(pk=later.pk).update(waiting_since=now + timedelta(hours=1))
    Operation.objects.filter(pk=busy.pk).update(waiting_since=now - timedelta(hours=9), waits_for_target=True)
    assert claim_operation(operation_id=held.pk, owner="test", now=timezone.now())
    assert value("apprun_operations_waiting", queue="default") == 2
    assert value("apprun_operations_postponed", queue="default") == 1
    assert value("apprun_operations_running", queue="default") == 1
    assert value("apprun_operations_abandoned", queue="default") == 0
    assert 420 <= value("apprun_operations_oldest_waiting_seconds", queue="default") < 430
    Operation.objects.filter(pk=held.pk).update(lease_until=now - timedelta(seconds=1))
    assert value("apprun_operations_abandoned", queue="default") == 1


def test_queues_without_work_are_there_with_nothing(table: None) -> None:
    for name in ("waiting", "postponed", "running", "abandoned", "oldest_waiting_seconds"):
        assert value(f"apprun_operations_{name}", queue="backups") == 0


def test_kinds_of_another_release_age_though_they_are_handed_back(table: None) -> None:
    operation = ask()
    hour_ago = timezone.now() - timedelta(hours=1)
    Operation.objects.filter(pk=operation.pk).update(kind="future.kind", queue="future", waiting_since=hour_ago)
    assert claim_operation(operation_id=operation.pk, owner="test", now=timezone.now()) is None
    assert value("apprun_operations_waiting", queue="future") == 1
    assert value("apprun_operations_oldest_waiting_seconds", queue="future") >= 3600


def test_what_a_workspaces_own_limit_holds_back_waits_for_no_worker(table: None, workspace: Any, settings: Any) -> None:
    settings.OPERATION_RUNNING_PER_WORKSPACE = 1
    first, second = ask(workspace), ask(workspace)
    Operation.objects.update(waiting_since=timezone.now() - timedelta(hours=1))
    assert value("apprun_operations_oldest_waiting_seconds", queue="default") >= 3600
    assert claim_operation(operation_id=first.pk, owner="test", now=timezone.now())
    assert claim_operation(operation_id=second.pk, owner="test", now=timezone.now()) is None
    assert value("apprun_operations_waiting", queue="default") == 1
    assert value("apprun_operations_oldest_waiting_seconds", queue="default") == 0


def test_resting_after_a_failure_is_postponed_and_waits_from_its_end_on(table: None) -> None:
    operation = ask(second="surprise")
    run(operation)
    operation.refresh_from_db()
    assert operation.waiting_since == operation.next_attempt_at > timezone.now()
    assert value("apprun_operations_postponed", queue="default") == 1
    assert value("apprun_operations_oldest_waiting_seconds", queue="default") == 0
    assert value("apprun_operations_postponed_attempts_total", **KIND) == 1


def test_every_end_is_counted_by_kind(table: None) -> None:
    assert value("apprun_operations_finished_total", outcome="failed", **KIND) == 0, "the first one is an increase"
    run(ask())
    cancel_operation(operation_id=ask().pk, actor=SYSTEM, now=timezone.now())
    failed = ask(second="refuse")
    run(failed)
    assert value("apprun_operations_finished_total", outcome="failed", **KIND) == 1
    retry_operation(operation_id=failed.pk, actor=SYSTEM, now=timezone.now())
    assert value("apprun_operations_finished_total", outcome="failed", **KIND) == 1, "a retry takes nothing away"
    run(failed)
    found = {outcome: value("apprun_operations_finished_total", outcome=outcome, **KIND) for outcome in OUTCOMES}
    assert found == {"succeeded": 2, "failed": 1, "canceled": 1}
    assert value("apprun_operations_duration_seconds_count", **KIND) == 2
    assert value("apprun_operations_duration_seconds_sum", **KIND) > 0


OUTCOMES = ("succeeded", "failed", "canceled")


def test_counts_outlive_the_rows_and_are_folded_without_a_difference(table: None) -> None:
    for _ in range(3):
        run(ask())
        run(ask(second="refuse"))
    before = outcome_sums()
    assert OperationTally.objects.count() == 6
    assert fold_tallies() == 4
    assert OperationTally.objects.count() == 2
    assert fold_tallies() == 0
    assert forget_finished_operations(now=timezone.now() + timedelta(days=1000)) == 6
    after = outcome_sums()
    assert {key: count for key, (count, _) in after.items()} == {key: count for key, (count, _) in before.items()}
    assert after["probe.work", "succeeded"][1] == pytest.approx(before["probe.work", "succeeded"][1])


def test_an_attempt_that_was_taken_over_counts_nothing(table: None) -> None:
    claimed = claim_operation(operation_id=ask().pk, owner="slow", now=timezone.now())
    assert claimed
    Operation.objects.filter(pk=claimed.pk).update(attempt=99)
    with pytest.raises(LeaseLost):
        finish(claimed, result=None, now=timezone.now())
    assert outcome_sums() == {}


def test_a_broken_source_is_told_and_hides_nothing_else(table: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert value("apprun_stored_metrics_up", source="operations") == 1
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE operations_operationtally RENAME TO elsewhere")
    answer = Client().get("/metrics")
    assert answer.status_code == 200
    assert 'apprun_stored_metrics_up{source="operations"} 0.0' in answer.content.decode()
    assert "python_info" in answer.content.decode()


def test_fault_62_metrics_answer_without_the_database(django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with django_db_blocker.unblock():
        connections.close_all()
        monkeypatch.setitem(connection.settings_dict, "PORT", 1)
        answer = Client().get("/metrics")
        connections.close_all()
    assert answer.status_code == 200
    text = answer.content.decode()
    assert 'apprun_stored_metrics_up{source="operations"} 0.0' in text
    assert "apprun_operations_waiting{" not in text, "nothing is better than a wrong 0"
    assert "python_info" in text


def test_kinds_that_nobody_ended_cost_few_series(table: None) -> None:
    names = [name for name, _ in scrape() if name.startswith("apprun_operations_")]
    assert len(names) < 1000
