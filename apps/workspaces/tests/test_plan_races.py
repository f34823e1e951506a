"""A plan isn't removed while a workspace is put on it, in a database that commits."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.accounts.tests.factories import UserFactory
from apps.common.actors import SYSTEM
from apps.plans.models import Plan
from apps.plans.services.plans import PlanTerms, add_plan, remove_plan
from apps.workspaces.errors import PlanInUse
from apps.workspaces.services.plans import change_plan
from apps.workspaces.tests.factories import create_test_workspace

_LONGEST_WAIT = 10.0


def remove() -> None:
    try:
        remove_plan(code="gold", actor=SYSTEM, now=timezone.now())
    finally:
        connection.close()


def wait_until_somebody_waits() -> None:
    """Until another session of this database waits for a row's lock."""
    end = time.monotonic() + _LONGEST_WAIT
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            # What a transaction has seen of it once, it sees for good.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone():
                return
        time.sleep(0.01)
    pytest.fail("Nobody waited: the plan could be removed at this moment.")


def test_who_is_put_on_a_plan_keeps_it_from_being_removed(committed_database: Any) -> None:
    now = timezone.now()
    add_plan(code="gold", terms=PlanTerms("Gold"), actor=SYSTEM, now=now)
    workspace = create_test_workspace(owner=UserFactory())
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            change_plan(workspace_id=workspace.pk, plan_code="gold", actor=SYSTEM, now=now)
            removal = pool.submit(remove)
            wait_until_somebody_waits()
        with pytest.raises(PlanInUse):
            removal.result(_LONGEST_WAIT)
    assert Plan.objects.filter(code="gold").exists()
