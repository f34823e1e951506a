"""Operations in both consoles: the lists, and the page that follows the work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.accounts.tests.factories import act_as, browser_of
from apps.common.actors import SYSTEM
from apps.operations.models import Operation
from apps.operations.services.engine import claim_operation, run_operation
from apps.operations.services.requests import request_operation
from apps.operations.tests import probe
from apps.workspaces.tests.factories import add_member

LIST = "/admin/operations/operation/"


@pytest.fixture(autouse=True)
def _table(db: None) -> None:
    probe.make_table()


@pytest.fixture
def operator(make_user: Any) -> Any:
    return browser_of(make_user(is_staff=True))


def ask(workspace: Any = None, *, kind: str = "probe.work", actor: Any = SYSTEM, **params: Any) -> Operation:
    return request_operation(
        kind=kind,
        target_id=uuid4(),
        workspace_id=workspace.pk if workspace else None,
        actor=actor,
        now=timezone.now(),
        params=params,
    )


def run(operation: Operation) -> Operation:
    run_operation(operation_id=operation.pk, owner="test", clock=timezone.now)
    operation.refresh_from_db()
    return operation


def half_way(operation: Operation) -> Operation:
    """Running, with the first of three steps done and the second begun."""
    claimed = claim_operation(operation_id=operation.pk, owner="host:1", now=timezone.now())
    assert claimed
    claimed.steps[0] |= {"done_at": timezone.now().isoformat(), "result": {"seen": 1}}
    Operation.objects.filter(pk=operation.pk).update(
        steps=claimed.steps, current_step="second", progress=33, message="Doing the second thing."
    )
    return operation


def listed(client: Any, query: str = "", base: str = LIST) -> set[str]:
    text = client.get(f"{base}{query}").content.decode()
    return {str(row.pk) for row in Operation.objects.all() if str(row.pk) in text}


def page(client: Any, operation: Operation, base: str = LIST) -> str:
    answer = client.get(f"{base}{operation.pk}/change/")
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_the_list_tells_what_it_is_how_it_stands_and_whose(operator: Any, workspace: Any) -> None:
    half_way(ask(workspace))
    text = operator.get(LIST).content.decode()
    assert "A probe" in text
    assert 'value="33"' in text
    assert f'/admin/workspaces/workspace/{workspace.pk}/change/">{workspace.slug}</a>' in text


def test_the_list_asks_for_all_workspaces_names_at_once(
    operator: Any, make_user: Any, make_workspace: Any, django_assert_max_num_queries: Any
) -> None:
    for _ in range(3):
        ask(make_workspace(owner=make_user()))
    operator.get(LIST)
    with django_assert_max_num_queries(12):
        operator.get(LIST)


def test_filters(operator: Any, workspace: Any) -> None:
    waiting, failed, done = ask(workspace), run(ask(workspace, second="refuse")), run(ask(workspace))
    old = ask(workspace)
    Operation.objects.filter(pk=old.pk).update(
        created_at=timezone.now() - timedelta(days=9), kind="gone.kind", queue="gone"
    )
    assert listed(operator, "?status__exact=failed") == {str(failed.pk)}
    assert listed(operator, "?status__exact=failed&status__exact=succeeded") == {str(failed.pk), str(done.pk)}
    assert listed(operator, "?kind=probe.work") == {str(row.pk) for row in (waiting, failed, done)}
    assert listed(operator, "?queue=backups") == set()
    assert listed(operator, "?queue=default") == {str(row.pk) for row in (waiting, failed, done)}
    today = timezone.now().date()
    assert listed(operator, f"?created_at_to={today - timedelta(days=9)}") == {str(old.pk)}
    assert listed(operator, f"?created_at_from={today}") == {str(row.pk) for row in (waiting, failed, done)}
    both = f"?created_at_from={today - timedelta(days=9)}&created_at_to={today}"
    assert len(listed(operator, both)) == 4


@pytest.mark.parametrize("day", ["nonsense", "2026-13-41", "9999-12-31", "0001-01-01", "%00"])
def test_days_that_are_none_are_no_fault_of_the_server(operator: Any, day: str) -> None:
    assert operator.get(f"{LIST}?created_at_from={day}&created_at_to={day}").status_code in {200, 302, 400}


def test_search_finds_titles_targets_and_workspaces(
    operator: Any, workspace: Any, make_user: Any, make_workspace: Any
) -> None:
    mine, other = ask(workspace), ask(make_workspace(owner=make_user(), name="Quite Another"))
    assert listed(operator, f"?q={workspace.slug}") == {str(mine.pk)}
    assert listed(operator, f"?q={other.target_id}") == {str(other.pk)}
    assert listed(operator, "?q=A+probe") == {str(mine.pk), str(other.pk)}
    assert listed(operator, "?q=quite+another") == {str(other.pk)}
    assert listed(operator, f"?q={mine.pk}") == {str(mine.pk)}


def test_page_of_a_waiting_one(operator: Any, workspace: Any) -> None:
    text = page(operator, ask(workspace))
    assert text.count("operation__step--waiting") == 3
    assert "Waiting for a worker." in text
    assert "every 2s" in text
    assert "act/cancel/" in text


def test_page_of_a_running_one_shows_each_step(operator: Any, workspace: Any, user: Any) -> None:
    text = page(operator, half_way(ask(workspace, actor=act_as(user))))
    for state in ("done", "running", "waiting"):
        assert text.count(f"operation__step--{state}") == 1, state
    assert 'value="33"' in text
    assert "Doing the second thing." in text
    assert f"by {user.name}" in text
    assert "host:1" in text


def test_page_of_a_failed_one_tells_why_and_offers_retry(operator: Any, workspace: Any) -> None:
    text = page(operator, run(ask(workspace, second="refuse")))
    assert "The name is taken on the other side." in text
    assert "in the step <code>second</code>, code <code>name_taken</code>" in text
    assert text.count("operation__step--failed") == 1
    assert "act/retry/" in text
    assert "hx-trigger" not in text.partition('id="operation-now"')[2].partition(">")[0], "nothing changes any more"


def test_page_of_one_that_rests_tells_when_it_goes_on(operator: Any, workspace: Any) -> None:
    operation = run(ask(workspace, second="surprise"))
    Operation.objects.filter(pk=operation.pk).update(next_attempt_at=timezone.now() + timedelta(minutes=5))
    text = page(operator, operation)
    assert "What went wrong last time" in text
    assert "operation__step--again" in text
    assert "Next attempt" in text
    assert "every 30s" in text


def test_page_of_a_finished_one_shows_the_result(operator: Any, workspace: Any) -> None:
    operation = run(ask(workspace))
    text = page(operator, operation)
    assert "first saw" in text
    assert operation.target_id in text.partition("operation-result")[2]
    assert text.count("operation__step--done") == 3


def test_page_of_a_kind_of_another_release(operator: Any, workspace: Any) -> None:
    operation = ask(workspace)
    Operation.objects.filter(pk=operation.pk).update(kind="future.kind")
    assert "future.kind" in page(operator, operation)
    assert "future.kind" in operator.get(LIST).content.decode()


def test_what_is_stored_cannot_break_out_of_the_page(operator: Any, workspace: Any) -> None:
    operation = run(ask(workspace))
    bad = "<script>alert(1)</script>"
    Operation.objects.filter(pk=operation.pk).update(
        message=bad, target_id=bad, result={bad: bad}, error={"code": bad, "detail": bad, "step": bad}
    )
    assert bad not in page(operator, operation)
    assert bad not in operator.get(LIST).content.decode()


def test_it_follows_the_work(operator: Any, workspace: Any) -> None:
    operation = ask(workspace)
    now = f"{LIST}{operation.pk}/now/"
    assert "every 2s" in operator.get(now).content.decode()
    run(operation)
    after = operator.get(now)
    assert "Succeeded" in after.content.decode()
    assert "hx-get" not in after.content.decode()
    assert "no-store" in after["Cache-Control"]
    assert "<html" not in after.content.decode()


def test_members_follow_their_own_and_nobody_elses(
    workspace: Any, user: Any, make_user: Any, make_workspace: Any
) -> None:
    base = f"/admin/w/{workspace.slug}/operations/operation/"
    mine, foreign = ask(workspace), ask(make_workspace(owner=make_user()))
    client = browser_of(user)
    assert str(mine.pk) in listed(client, base=base)
    assert str(foreign.pk) not in listed(client, base=base)
    assert f"{base}{mine.pk}/now/" in page(client, mine, base)
    assert client.get(f"{base}{mine.pk}/now/").status_code == 200
    assert client.get(f"{base}{foreign.pk}/now/").status_code == 404
    assert listed(client, f"?q={foreign.target_id}", base) == set()
    viewer = make_user()
    add_member(workspace, viewer, "viewer")
    text = page(browser_of(viewer), mine, base)
    assert "act/cancel/" not in text
    assert browser_of(make_user()).get(f"{base}{mine.pk}/now/").status_code == 404


def test_nobody_follows_without_signing_in(client: Any, workspace: Any, user: Any) -> None:
    now = f"{LIST}{ask(workspace).pk}/now/"
    assert client.get(now).status_code == 302
    assert browser_of(user).get(now).status_code in {302, 403}


def test_start_page_counts_what_needs_an_operator(operator: Any, workspace: Any) -> None:
    run(ask(workspace, second="refuse"))
    old = run(ask(workspace, second="refuse"))
    Operation.objects.filter(pk=old.pk).update(finished_at=timezone.now() - timedelta(days=2))
    waiting = ask(workspace)
    Operation.objects.filter(pk=waiting.pk).update(waiting_since=timezone.now() - timedelta(minutes=12))
    half_way(ask(workspace))
    tiles = {tile["label"]: (tile["value"], tile["warn"]) for tile in operator.get("/admin/").context["tiles"]}
    assert tiles["Operations waiting"] == (1, False)
    assert tiles["Operations running"] == (1, False)
    assert tiles["Operations failed in 24 h"] == (1, True)
    assert tiles["Waiting longest"] == ("12 min", True)
