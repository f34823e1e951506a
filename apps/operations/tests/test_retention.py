"""Operations that ended are kept for a while, the others for good."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from apps.common.ids import new_id
from apps.operations.models import Operation, WorkspaceTurn
from apps.operations.services.retention import forget_finished_operations, forget_idle_turns
from apps.operations.states import FINISHED, OperationStatus

pytestmark = pytest.mark.django_db

NOW = timezone.now()
BORDER = NOW - settings.OPERATION_RETENTION
TICK = timedelta(microseconds=1)


def operation(status: OperationStatus, finished_at=None) -> Operation:
    return Operation.objects.create(
        kind="test.kind",
        group="test",
        target_kind="thing",
        target_id=str(status),
        status=status,
        next_attempt_at=BORDER,
        finished_at=finished_at,
    )


@pytest.mark.parametrize("status", sorted(FINISHED))
def test_finished_operations_are_kept_up_to_the_border(status: OperationStatus) -> None:
    _old, at, new = (operation(status, BORDER + beside) for beside in (-TICK, 0 * TICK, TICK))
    assert forget_finished_operations(now=NOW) == 1
    assert set(Operation.objects.all()) == {at, new}
    assert forget_finished_operations(now=NOW) == 0


def test_what_waits_or_runs_stays_however_old_it_is() -> None:
    kept = [operation(status) for status in sorted(set(OperationStatus) - FINISHED)]
    # Retry puts a failed one back into the queue with the time of its failure still in the row, or without.
    kept += [operation(OperationStatus.QUEUED, BORDER - timedelta(days=300))]
    assert forget_finished_operations(now=NOW) == 0
    assert Operation.objects.count() == len(kept)


def test_a_backlog_goes_in_batches(settings, django_assert_max_num_queries) -> None:
    settings.RETENTION_BATCH = 10
    for _ in range(25):
        operation(OperationStatus.SUCCEEDED, BORDER - timedelta(days=1))
    with django_assert_max_num_queries(6):
        assert forget_finished_operations(now=NOW) == 25


def test_a_run_that_stopped_in_the_middle_is_gone_on_with(settings) -> None:
    settings.RETENTION_BATCH, settings.RETENTION_RUN = 10, timedelta(0)
    for _ in range(15):
        operation(OperationStatus.SUCCEEDED, BORDER - timedelta(days=1))
    assert [forget_finished_operations(now=NOW) for _ in range(3)] == [10, 5, 0]


def test_turn_goes_with_the_last_operation_of_its_workspace() -> None:
    busy, _ = (WorkspaceTurn.objects.create(workspace_id=new_id()) for _ in range(2))
    row = operation(OperationStatus.QUEUED)
    Operation.objects.filter(pk=row.pk).update(workspace_id=busy.pk)
    assert forget_idle_turns() == 1
    assert list(WorkspaceTurn.objects.all()) == [busy]
