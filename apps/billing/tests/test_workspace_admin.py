"""The pages on which a workspace sees what it uses: right numbers, in words, for those who may see them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.tests.factories import browser_of
from apps.applications.tests.factories import make_app
from apps.billing.models import ClosedPeriod, Quota, UsageEvent
from apps.billing.services.consumption import consume
from apps.billing.services.overrides import override_limits
from apps.billing.services.quotas import find_quota
from apps.billing.services.reservations import reserve
from apps.common.actors import SYSTEM
from apps.common.ids import new_id
from apps.common.tenancy import enter
from apps.plans.selectors.limits import Limits
from apps.workspaces.models import Role
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db

TOKENS = "ai.tokens"
TABLES = ("quota", "usageevent", "reservation", "closedperiod")


def address(workspace: Any, table: str = "quota", query: str = "") -> str:
    return f"/admin/w/{workspace.slug}/billing/{table}/{query}"


def use(workspace: Any, amount: int, *, dimension: str = TOKENS, **details: Any) -> None:
    with enter(workspace):
        consume(
            workspace=workspace,
            dimension=dimension,
            amount=amount,
            key=str(new_id()),
            source="api",
            actor="",
            now=timezone.now(),
            **details,
        )


def hold(workspace: Any, amount: int) -> None:
    with enter(workspace):
        reserve(
            workspace=workspace,
            dimension=TOKENS,
            amount=amount,
            key=str(new_id()),
            source="api",
            actor="",
            now=timezone.now(),
            lifetime=timedelta(minutes=5),
        )


def card(response: Any, code: str) -> Any:
    return next(quota for quota in response.context["quotas"] if quota.code == code)


def test_a_new_workspace_is_told_kindly_that_nothing_was_used(user: Any, workspace: Any) -> None:
    page = browser_of(user).get(address(workspace, query=f"?dimension={TOKENS}"))
    text = page.content.decode()
    assert page.status_code == 200
    assert "Nothing was used in these days" in text
    assert "The first one is still running" in text
    assert "<canvas" not in text
    assert card(page, TOKENS).headline == "0 of 200,000"
    assert card(page, "database.bytes").headline == "0 B of 512 MiB"
    assert card(page, "workflow.seconds").headline == "0 s of 10 h"
    for table in TABLES[1:]:
        assert browser_of(user).get(address(workspace, table)).status_code == 200


def test_a_card_says_what_is_used_reserved_and_left(user: Any, workspace: Any) -> None:
    use(workspace, 100_000)
    hold(workspace, 50_000)
    shown = card(browser_of(user).get(address(workspace)), TOKENS)
    assert (shown.headline, shown.percent, shown.tone) == ("100,000 of 200,000", "50 %", "calm")
    assert (shown.bar.used, shown.bar.reserved, shown.bar.soft_at, shown.bar.hard_at) == (500, 250, 800, 1000)
    assert "50,000 more are reserved." in shown.notes
    assert any(note.startswith("At this pace the limit is reached on") for note in shown.notes)
    assert any(note.startswith("Starts anew on") for note in shown.notes)
    hold(workspace, 50_000)
    full = card(browser_of(user).get(address(workspace)), TOKENS)
    assert (full.tone, full.notes[0]) == ("over", "Nothing is left: more is refused. Reading and deleting go on.")


def test_grace_override_and_excess_are_said_in_words(user: Any, workspace: Any) -> None:
    now = timezone.now()
    with enter(workspace):
        override_limits(
            workspace=workspace,
            dimension=TOKENS,
            limits=Limits(None, 900, overage=True),
            reason="A <b>trial</b>.",
            ends_at=now + timedelta(days=5),
            actor=SYSTEM,
            now=now,
        )
        find_quota(workspace=workspace, dimension="workflow.runs", now=now)
        in_grace = Quota.objects.filter(dimension="workflow.runs")
        in_grace.update(grace_until=now + timedelta(days=3), limit_source="grace")
        Quota.objects.filter(dimension="workflow.seconds").update(used=90_000, over_since=now)
    use(workspace, 1000)
    page = browser_of(user).get(address(workspace))
    notes = card(page, TOKENS).notes
    assert "100 above the limit are counted as overage." in notes
    assert any(note.endswith("A <b>trial</b>.") and note.startswith("Limits of its own through") for note in notes)
    assert "A <b>trial</b>" not in page.content.decode()
    assert any("from before a change hold until" in note for note in card(page, "workflow.runs").notes)
    over = card(page, "workflow.seconds")
    assert over.tone == "over"
    assert over.notes[0].startswith("Over its limit since")
    assert over.bar.used == 1000
    assert over.bar.hard_at == 400


def test_days_apps_and_periods_of_one_dimension(user: Any, workspace: Any) -> None:
    with enter(workspace):
        app = make_app(workspace, slug="counting")
        ClosedPeriod.objects.create(
            dimension=TOKENS,
            started_at=timezone.now() - timedelta(days=70),
            ended_at=timezone.now() - timedelta(days=40),
            used=4321,
            overage=21,
            hard_limit=4300,
        )
    use(workspace, 30, app_id=app.pk)
    use(workspace, 12)
    use(workspace, 5, dimension="workflow.runs")
    page = browser_of(user).get(address(workspace, query=f"?dimension={TOKENS}"))
    chart = json.loads(page.context["chart"])
    assert len(chart["labels"]) == 30
    assert chart["datasets"][0]["data"] == [0] * 29 + [42]
    assert page.context["days"][0][1] == "42"
    assert [(row["name"], row["amount"]) for row in page.context["by_app"]] == [(app.name, "30"), ("No app", "12")]
    assert [(row["used"], row["limit"], row["overage"]) for row in page.context["periods"]] == [
        ("4,321", "4,300", "21")
    ]
    assert f"/admin/w/{workspace.slug}/applications/app/{app.pk}/change/" in page.content.decode()


def test_a_level_is_drawn_as_high_as_it_was_at_the_end_of_each_day(user: Any, workspace: Any) -> None:
    with enter(workspace):
        make_app(workspace, slug="one")
        UsageEvent.objects.filter(dimension="apps").update(occurred_at=timezone.now() - timedelta(days=2))
        make_app(workspace, slug="two")
        UsageEvent.objects.filter(dimension="apps", amount=1).update(occurred_at=timezone.now())
    page = browser_of(user).get(address(workspace, query="?dimension=apps"))
    data = json.loads(page.context["chart"])["datasets"][0]["data"]
    assert data == [0] * 27 + [2, 2, 3]
    assert card(page, "apps").headline.startswith("3 of ")
    assert "measured for the workspace as a whole" in page.content.decode()


def test_a_dimension_that_there_is_not_shows_the_fullest(user: Any, workspace: Any) -> None:
    use(workspace, 199_000)
    page = browser_of(user).get(address(workspace, query="?dimension=%00nonsense"))
    assert page.status_code == 200
    assert page.context["chosen"].code == TOKENS


def test_the_ledger_is_narrowed_and_never_changed(user: Any, workspace: Any) -> None:
    use(workspace, 77)
    use(workspace, 5, dimension="workflow.runs")
    hold(workspace, 9)
    browser = browser_of(user)
    listed = browser.get(address(workspace, "usageevent", f"?dimension={TOKENS}&entry=use"))
    assert [(row.dimension, row.amount) for row in listed.context["cl"].result_list] == [(TOKENS, 77)]
    assert browser.get(address(workspace, "usageevent", "?entry=correction")).status_code == 200
    assert browser.get(address(workspace, "usageevent", "?answer__contains=x")).status_code in {302, 400}
    assert browser.post(address(workspace, "usageevent", "add/")).status_code == 403
    assert "Held" in browser.get(address(workspace, "reservation", "?status__exact=held")).content.decode()


@pytest.mark.parametrize("table", TABLES)
def test_who_may_not_see_billing_sees_none_of_it(workspace: Any, make_user: Any, table: str) -> None:
    blind = make_user()
    add_member(workspace, blind, Role.objects.create(workspace=workspace, code="b", name="B", codes=["workspace.view"]))
    assert browser_of(blind).get(address(workspace, table)).status_code == 403
    viewer = make_user()
    add_member(workspace, viewer, "viewer")
    assert browser_of(viewer).get(address(workspace, table)).status_code == 200


def test_fault_1_strangers_and_other_workspaces_see_nothing(
    workspace: Any, make_user: Any, make_workspace: Any
) -> None:
    stranger = make_user()
    own = make_workspace(owner=stranger)
    use(workspace, 123_457)
    browser = browser_of(stranger)
    for table in TABLES:
        assert browser.get(address(workspace, table)).status_code == 404
        assert "123,457" not in browser.get(address(own, table)).content.decode()
    with enter(workspace):
        entry = Quota.objects.get(dimension=TOKENS).pk
    assert browser.get(address(own, "quota", f"{entry}/change/")).status_code in {302, 404}


def test_the_page_asks_as_often_whatever_was_used(
    user: Any, workspace: Any, django_assert_max_num_queries: Any
) -> None:
    browser = browser_of(user)
    browser.get(address(workspace))
    for number in range(3):
        with enter(workspace):
            app = make_app(workspace, slug=f"app-{number}")
        use(workspace, 10 + number, app_id=app.pk)
    browser.get(address(workspace))
    with django_assert_max_num_queries(24):
        browser.get(address(workspace, query=f"?dimension={TOKENS}"))
    with django_assert_max_num_queries(16):
        browser.get(address(workspace, "usageevent"))
