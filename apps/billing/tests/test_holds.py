"""What operations hold until they end."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from apps.accounts.tests.factories import UserFactory
from apps.billing.models import Reservation
from apps.billing.services.holds import (
    HOLD_KIND,
    ceiling_for_operation,
    enforced_limit,
    hold_for_operation,
    release_holds,
)
from apps.billing.tests.factories import quota_of, set_limit
from apps.common.actors import SYSTEM
from apps.common.errors import QuotaExceeded
from apps.common.ids import new_id
from apps.common.tenancy import enter
from apps.operations.models import Operation
from apps.operations.services.requests import request_operation
from apps.workspaces.models import DueWork
from apps.workspaces.services.due_work import do_due_work, sweep_due_work
from apps.workspaces.tests.factories import create_test_workspace

BYTES = "database.bytes"
TEBIBYTE = 1024**4


def hold(workspace: Any, operation_id: UUID, amount: int) -> None:
    hold_for_operation(
        workspace_id=workspace.pk, dimension=BYTES, operation_id=operation_id, amount=amount, now=timezone.now()
    )


def release(workspace: Any, operation_id: UUID) -> int:
    return release_holds(workspace_id=workspace.pk, operation_id=operation_id, now=timezone.now())


def look(later: timedelta) -> None:
    now = timezone.now() + later
    assert sweep_due_work(now=now)
    row = DueWork.objects.get(kind=HOLD_KIND)
    assert do_due_work(due_work_id=row.pk, claim=row.claimed_until, now=now)


@pytest.mark.django_db
class TestHolds:
    def test_a_repeat_replaces_and_one_that_is_refused_changes_nothing(self, workspace: Any) -> None:
        set_limit(workspace, BYTES, 1000)
        first, second = new_id(), new_id()
        hold(workspace, first, 600)
        hold(workspace, first, 600)
        hold(workspace, first, 700)
        assert quota_of(workspace, BYTES).reserved == 700
        with pytest.raises(QuotaExceeded):
            hold(workspace, second, 301)
        with pytest.raises(QuotaExceeded):
            hold(workspace, first, 1001)
        assert quota_of(workspace, BYTES).reserved == 700
        assert release(workspace, first) == 1
        assert release(workspace, first) == 0
        hold(workspace, second, 1000)

    def test_one_that_was_released_holds_again_when_it_is_retried(self, workspace: Any) -> None:
        operation = new_id()
        for _ in range(3):
            hold(workspace, operation, 10)
            assert quota_of(workspace, BYTES).reserved == 10
            release(workspace, operation)
        assert quota_of(workspace, BYTES).reserved == 0

    def test_bytes_are_more_than_a_reported_amount_may_be(self, workspace: Any) -> None:
        set_limit(workspace, BYTES, None)
        hold(workspace, new_id(), 5 * TEBIBYTE)
        assert quota_of(workspace, BYTES).reserved == 5 * TEBIBYTE

    def test_an_operations_ceiling_is_the_limit_without_what_others_hold(self, workspace: Any) -> None:
        set_limit(workspace, BYTES, 1000)
        mine, other = new_id(), new_id()
        hold(workspace, mine, 100)
        hold(workspace, other, 300)
        asked = {"workspace_id": workspace.pk, "dimension": BYTES, "now": timezone.now()}
        assert ceiling_for_operation(operation_id=mine, **asked) == 700
        assert ceiling_for_operation(operation_id=new_id(), **asked) == 600
        assert enforced_limit(**asked) == 1000
        set_limit(workspace, BYTES, 1000, overage=True)
        assert enforced_limit(**asked) is None
        assert ceiling_for_operation(operation_id=mine, **asked) is None

    def test_what_an_ended_operation_forgot_is_given_back(self, workspace: Any) -> None:
        operation = request_operation(
            kind="workspaces.finish",
            target_id=workspace.pk,
            workspace_id=workspace.pk,
            actor=SYSTEM,
            now=timezone.now(),
        )
        hold(workspace, operation.pk, 10)
        look(settings.OPERATION_HOLD_CHECK)
        assert quota_of(workspace, BYTES).reserved == 10, "it has not ended"
        Operation.objects.filter(pk=operation.pk).update(status="failed")
        look(2 * settings.OPERATION_HOLD_CHECK + timedelta(minutes=1))
        assert quota_of(workspace, BYTES).reserved == 0
        assert not DueWork.objects.filter(kind=HOLD_KIND).exists()
        with enter(workspace):
            assert Reservation.objects.get().status == "released"

    def test_what_is_released_waits_for_nothing(self, workspace: Any) -> None:
        operation = new_id()
        hold(workspace, operation, 10)
        release(workspace, operation)
        assert not DueWork.objects.filter(kind=HOLD_KIND).exists()


def test_eight_operations_want_room_for_three(committed_database: str) -> None:
    workspace = create_test_workspace(owner=UserFactory())
    set_limit(workspace, BYTES, 3_500)
    together = threading.Barrier(8)

    def ask(_: int) -> bool:
        try:
            together.wait()
            hold(workspace, new_id(), 1_000)
        except QuotaExceeded:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 3
    assert quota_of(workspace, BYTES).reserved == 3_000
