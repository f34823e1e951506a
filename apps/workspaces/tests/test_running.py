"""A plan's limit of operations that run at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.common.actors import SYSTEM
from apps.common.ids import new_id
from apps.operations.services.claims import claim_next
from apps.operations.services.limits import running_limit
from apps.operations.services.requests import request_operation
from apps.plans.models import Plan
from apps.plans.selectors.running import forget_running_limits
from apps.workspaces.selectors.running import forget_plans

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _know_nothing() -> Iterator[None]:
    forget()
    yield
    forget()


def forget() -> None:
    forget_running_limits()
    forget_plans()


def let_run(plan: str, number: int | None) -> None:
    Plan.objects.filter(code=plan).update(running_operations=number)
    forget()


def claimed(workspace: Any, asked: int) -> int:
    now = timezone.now()
    for _ in range(asked):
        request_operation(
            kind="workspaces.finish", target_id=new_id(), workspace_id=workspace.pk, actor=SYSTEM, now=now
        )
    later = now + timedelta(seconds=1)
    return sum(claim_next(queue="default", owner="test", now=later) is not None for _ in range(asked))


def test_without_one_the_platforms_holds(workspace: Any, settings: Any) -> None:
    let_run("free", None)
    assert running_limit(workspace.pk) == settings.OPERATION_RUNNING_PER_WORKSPACE


def test_a_plans_own_holds_for_those_on_it(workspace: Any, make_workspace: Any, settings: Any) -> None:
    other = make_workspace(owner=workspace.owner)
    type(other).objects.filter(pk=other.pk).update(plan_code="team")
    let_run("team", 7)
    assert running_limit(other.pk) == 7
    assert running_limit(workspace.pk) == settings.OPERATION_RUNNING_PER_WORKSPACE


def test_no_more_are_claimed_than_the_plan_lets_run(workspace: Any) -> None:
    let_run("free", 2)
    assert claimed(workspace, 4) == 2


def test_claiming_asks_once(workspace: Any) -> None:
    let_run("free", 2)
    assert running_limit(workspace.pk) == 2
    with CaptureQueriesContext(connection) as queries:
        assert running_limit(workspace.pk) == 2
    assert not queries.captured_queries


def test_where_no_plan_has_one_no_workspace_is_looked_up(workspace: Any) -> None:
    forget()
    with CaptureQueriesContext(connection) as queries:
        running_limit(workspace.pk)
    assert len(queries.captured_queries) == 1
    with CaptureQueriesContext(connection) as queries:
        running_limit(workspace.pk)
    assert not queries.captured_queries


def test_a_change_is_known_soon(workspace: Any, settings: Any) -> None:
    let_run("free", 2)
    assert running_limit(workspace.pk) == 2
    Plan.objects.filter(code="free").update(running_operations=3)
    assert running_limit(workspace.pk) == 2
    settings.PLANS_KNOWN_FOR = timedelta(0)
    assert running_limit(workspace.pk) == 3


def test_zero_would_stop_everything(workspace: Any) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Plan.objects.filter(code="free").update(running_operations=0)
    plan = Plan.objects.get(code="free")
    plan.running_operations = 0
    with pytest.raises(ValidationError):
        plan.full_clean()
