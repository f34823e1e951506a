"""Running a workflow records it whole."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.billing.models import Quota
from apps.billing.services.metering import meter
from apps.billing.services.quotas import find_quota
from apps.common.actors import SYSTEM
from apps.common.errors import InvalidInput, QuotaExceeded, WrongWorkspace
from apps.common.tenancy import enter
from apps.events.models import Event
from apps.workflows.errors import WorkflowNotFound
from apps.workflows.models import Run, StepRun
from apps.workflows.services.runs import start_run
from apps.workflows.services.workflows import change_workflow
from apps.workflows.states import RunStatus, StepStatus
from apps.workflows.tests.factories import DOUBLE, FAILING, create_test_workflow

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.fixture
def inside(workspace: Any) -> Any:
    with enter(workspace):
        yield workspace


def start(inside: Any, workflow: Any, **inputs: Any) -> Run:
    return start_run(workflow=workflow.slug, inputs=inputs, workspace=inside, now=NOW)


def test_run_and_steps_are_recorded(inside: Any) -> None:
    workflow = create_test_workflow()
    run = Run.objects.get(pk=start(inside, workflow, n=4).pk)
    assert (run.status, run.trigger, run.error) == (RunStatus.SUCCEEDED, "api", None)
    assert run.inputs == {"n": 4.0}
    assert run.outputs == {"value": 8.0, "rows": [{"i": 0}, {"i": 1}, {"i": 2}]}
    assert (run.workflow_id, run.definition) == (workflow.pk, DOUBLE)
    assert run.created_at == run.started_at == NOW
    assert run.finished_at >= NOW
    steps = list(run.step_runs.values_list("step", "position", "attempt", "status", "output"))
    assert steps == [
        ("twice", 0, 1, "succeeded", {"value": 8.0}),
        ("share", 1, 1, "succeeded", {"value": 0.25}),
        ("list", 2, 1, "succeeded", [{"i": 0}, {"i": 1}, {"i": 2}]),
    ]


def test_failed_run_is_recorded_with_its_reason(inside: Any) -> None:
    run = start(inside, create_test_workflow(definition=FAILING))
    assert (run.status, run.outputs) == (RunStatus.FAILED, None)
    assert run.error == {"code": "division_by_zero", "detail": "This divides by zero.", "step": "bad"}
    step = StepRun.objects.get(run_id=run.pk)
    assert (step.status, step.error["code"]) == (StepStatus.FAILED, "division_by_zero")


@pytest.mark.parametrize(("definition", "type_"), [(DOUBLE, "run.succeeded"), (FAILING, "run.failed")])
def test_end_of_a_run_is_an_event(inside: Any, definition: Any, type_: str) -> None:
    run = start(inside, create_test_workflow(definition=definition), n=1)
    event = Event.objects.get(type=type_, workspace_id=inside.id)
    assert (event.data["run"], event.data["trigger"]) == (str(run.pk), "api")


def test_two_statements_record_a_run(inside: Any, django_assert_num_queries: Any) -> None:
    workflow = create_test_workflow()
    start(inside, workflow, n=1)
    with django_assert_num_queries(5):  # find, savepoint, run with its steps, event, release
        start(inside, workflow, n=1)


def test_run_without_steps_is_recorded(inside: Any) -> None:
    run = start(inside, create_test_workflow(definition={"steps": [], "outputs": {"x": {"expr": "1 + 1"}}}))
    assert Run.objects.get(pk=run.pk).outputs == {"x": 2}
    assert not StepRun.objects.exists()


def test_hundred_steps_are_recorded_in_order(inside: Any) -> None:
    steps = [
        {"id": f"s{n}", "kind": "transform", "set": {"t": f"ünïcode {{}} ' \" \\ {n}", "none": None}}
        for n in range(100)
    ]
    run = start(inside, create_test_workflow(definition={"steps": steps}))
    recorded = list(StepRun.objects.filter(run_id=run.pk).values_list("step", "output"))
    assert recorded == [(step["id"], step["set"]) for step in steps]


def test_run_of_one_workspace_is_not_written_into_another(inside: Any, make_workspace: Any, user: Any) -> None:
    run = start(inside, create_test_workflow(), n=1)
    with enter(make_workspace(owner=user)), pytest.raises(WrongWorkspace):
        Run.objects.write_whole(run, [])


def test_run_is_written_with_all_its_steps_or_not_at_all(inside: Any) -> None:
    run = Run(trigger="api", created_at=NOW)
    twice = [StepRun(run_id=run.pk, step="same", position=n, status="succeeded") for n in range(2)]
    with pytest.raises(IntegrityError), transaction.atomic():
        Run.objects.write_whole(run, twice)
    assert not Run.objects.filter(pk=run.pk).exists()


def test_inputs_must_fit_and_nothing_runs_otherwise(inside: Any) -> None:
    with pytest.raises(InvalidInput) as refusal:
        start(inside, create_test_workflow(), n=2_000, m=1)
    assert [(error.pointer, error.code) for error in refusal.value.errors] == [
        ("/inputs/n", "too_large"),
        ("/inputs/m", "unknown_field"),
    ]
    assert not Run.objects.exists()


def test_run_of_a_changed_workflow_uses_the_change(inside: Any) -> None:
    workflow = create_test_workflow()
    assert start(inside, workflow, n=1).outputs["value"] == 2.0
    changed = {**DOUBLE, "outputs": {"value": "another"}}
    change_workflow(workflow=workflow.slug, definition=changed, actor=SYSTEM, now=NOW)
    assert start(inside, workflow, n=1).outputs == {"value": "another"}


def test_unknown_workflow(inside: Any) -> None:
    with pytest.raises(WorkflowNotFound):
        start_run(workflow="nobody", inputs={}, workspace=inside, now=NOW)


def limit(inside: Any, dimension: str, hard: int) -> None:
    quota = find_quota(workspace=inside, dimension=dimension, now=timezone.now())
    Quota.objects.filter(pk=quota.pk).update(hard_limit=hard)


def test_a_run_counts_one_and_its_seconds_rounded_up(inside: Any) -> None:
    workflow = create_test_workflow()
    start(inside, workflow, n=4)
    start(inside, workflow, n=5)
    meter.close()
    used = dict(Quota.objects.filter(dimension__startswith="workflow.").values_list("dimension", "used"))
    assert used == {"workflow.runs": 2, "workflow.seconds": 2}
    assert not Quota.objects.filter(reserved__gt=0).exists()


@pytest.mark.parametrize("dimension", ["workflow.runs", "workflow.seconds"])
def test_without_room_nothing_runs(inside: Any, dimension: str) -> None:
    workflow = create_test_workflow()
    limit(inside, dimension, 1)
    start(inside, workflow, n=4)
    with pytest.raises(QuotaExceeded):
        start(inside, workflow, n=4)
    assert Run.objects.count() == 1
    meter.close()
    assert not Quota.objects.filter(used__gt=1).exists()


def test_inputs_that_dont_fit_cost_nothing(inside: Any) -> None:
    workflow = create_test_workflow()
    with pytest.raises(InvalidInput):
        start(inside, workflow, n="four")
    meter.close()
    assert not Quota.objects.filter(used__gt=0, dimension__startswith="workflow.").exists()
