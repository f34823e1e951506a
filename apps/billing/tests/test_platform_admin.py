"""Plans, overrides and the overview of use in the operators' console: previews are right, acts are audited."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.tests.factories import browser_of
from apps.audit.models import AuditEvent
from apps.billing.models import Quota, QuotaOverride
from apps.billing.services.consumption import consume
from apps.billing.services.overrides import override_limits
from apps.billing.services.upkeep import tell_operators
from apps.common.actors import SYSTEM
from apps.common.ids import new_id
from apps.common.tenancy import enter
from apps.operations.models import Operation
from apps.plans.models import PlanLimit, UsageDrift, WorkspaceUsage
from apps.plans.selectors.limits import Limits
from apps.workspaces.models import Workspace

pytestmark = pytest.mark.django_db

TOKENS = "ai.tokens"
USE = "/admin/plans/workspaceusage/"
DRIFT = "/admin/plans/usagedrift/"


@pytest.fixture
def operator(make_user: Any) -> Any:
    return browser_of(make_user(is_staff=True))


def use(workspace: Any, amount: int) -> None:
    now = timezone.now()
    with enter(workspace):
        consume(
            workspace=workspace, dimension=TOKENS, amount=amount, key=str(new_id()), source="api", actor="", now=now
        )
        tell_operators(workspace=workspace, now=now)


def override(workspace: Any, hard: int | None) -> None:
    now = timezone.now()
    override_limits(
        workspace=workspace,
        dimension=TOKENS,
        limits=Limits(None, hard),
        reason="Trial.",
        ends_at=now + timedelta(days=9),
        actor=SYSTEM,
        now=now,
    )


def limit_act() -> str:
    limit = PlanLimit.objects.get(plan_id="free", dimension_id=TOKENS)
    return f"/admin/plans/planlimit/{limit.pk}/act/change/"


def act_on(workspace: Any, name: str) -> str:
    return f"/admin/workspaces/workspace/{workspace.pk}/act/{name}/"


def confirm(browser: Any, address: str, values: dict[str, str]) -> Any:
    """Preview, then send what the preview's hidden fields hold."""
    preview = browser.post(address, values)
    assert preview.status_code == 200
    assert preview.context["preview"], preview.context["form"].errors
    return browser.post(address, {**values, "confirmed": "1"})


def test_a_preview_says_who_would_be_over_and_changes_nothing(
    operator: Any, make_user: Any, make_workspace: Any
) -> None:
    small, large, own = (make_workspace(owner=make_user()) for _ in range(3))
    use(small, 100)
    use(large, 5_000)
    override(own, 9_000)
    use(own, 6_000)
    values = {"soft_limit": "", "hard_limit": "1,000"}
    page = operator.post(limit_act(), values)
    preview = page.context["preview"]
    on_plan = Workspace.objects.with_schema().filter(plan_code="free").count()
    assert preview.warn
    assert preview.summary == "AI tokens, plan Free: 200,000, soft 160,000 → 1,000."
    assert preview.notes[0] == f"{on_plan} workspaces on the plan: 1 would be over the new limit."
    assert "keeps the former limit for 14 days" in preview.notes[1]
    assert preview.notes[2].startswith("1 workspace more would be above it, but an override")
    assert preview.tables[0].rows == [
        (own.slug, "6,000", "0", "9,000", "Override"),
        (large.slug, "5,000", "0", "200,000", "Plan"),
    ]
    assert PlanLimit.objects.get(plan_id="free", dimension_id=TOKENS).hard_limit == 200_000
    assert 'type="hidden" name="hard_limit" value="1,000"' in page.content.decode()
    again = operator.post(limit_act(), {**values, "again": "1"}).content.decode()
    assert 'value="1,000"' in again
    assert "Preview" in again


def test_a_preview_lists_twenty_and_counts_all(operator: Any, workspace: Any) -> None:
    now = timezone.now()
    use(workspace, 10)
    row = WorkspaceUsage.objects.get(workspace_id=workspace.pk, dimension_id=TOKENS)
    made = {"name": "o", "owner": workspace.owner, "fingerprint": "x", "status": "active"}
    others = [Workspace(slug=f"o-{number}", schema_name=f"o_{number}", **made) for number in range(30)]
    Workspace.objects.bulk_create(others)
    for other in others:
        row.pk, row.workspace_id, row.rolled_up_at = new_id(), other.pk, now
        row.save(force_insert=True)
    preview = operator.post(limit_act(), {"hard_limit": "5"}).context["preview"]
    assert "31 would be over the new limit." in preview.notes[0]
    assert len(preview.tables[0].rows) == 20
    assert preview.tables[0].rest == "And 11 more."


def test_a_changed_limit_is_confirmed_applied_and_audited(operator: Any, workspace: Any) -> None:
    done = confirm(operator, limit_act(), {"soft_limit": "100", "hard_limit": "1,000", "overage": "on"})
    assert done.status_code == 302
    limit = PlanLimit.objects.get(plan_id="free", dimension_id=TOKENS)
    assert (limit.soft_limit, limit.hard_limit, limit.overage) == (100, 1_000, True)
    assert AuditEvent.objects.filter(action="plan.change_limit").count() == 1
    assert Operation.objects.filter(kind="billing.apply_plan").count() == 1


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"hard_limit": "-1"}, "hard_limit"),
        ({"hard_limit": "many"}, "hard_limit"),
        ({"hard_limit": "1 GiB"}, "hard_limit"),
        ({"soft_limit": "10", "hard_limit": "5"}, "soft_limit"),
    ],
)
def test_a_limit_that_can_not_be_is_refused_beside_its_field(operator: Any, values: Any, field: str) -> None:
    page = operator.post(limit_act(), values)
    assert page.context["preview"] is None
    assert list(page.context["form"].errors) == [field]


def test_another_plan_is_previewed_then_given(operator: Any, workspace: Any) -> None:
    address = act_on(workspace, "change-plan")
    assert confirm(operator, address, {"plan": "team"}).status_code == 302
    workspace.refresh_from_db()
    assert workspace.plan_code == "team"
    use(workspace, 300_000)
    preview = operator.post(address, {"plan": "free"}).context["preview"]
    assert preview.warn
    assert "of: AI tokens." in preview.notes[0]
    row = ("AI tokens", "300,000", "5,000,000, soft 4,000,000", "200,000, soft 160,000", "over")
    assert row == preview.tables[0].rows[0]
    assert list(operator.post(address, {"plan": "gold"}).context["form"].errors) == ["plan"]
    assert list(operator.post(address, {"plan": "team"}).context["form"].errors) == ["plan"]
    assert confirm(operator, address, {"plan": "free"}).status_code == 302
    with enter(workspace):
        assert AuditEvent.objects.filter(action="workspace.change_plan").count() == 2
    state = WorkspaceUsage.objects.get(workspace_id=workspace.pk, dimension_id=TOKENS)
    assert (state.limit_source, state.hard_limit) == ("grace", 5_000_000)


def test_an_override_is_made_seen_at_once_and_ended(operator: Any, workspace: Any) -> None:
    page = f"/admin/workspaces/workspace/{workspace.pk}/change/"
    assert "act/end-override" not in operator.get(page).content.decode()
    address, last_day = act_on(workspace, "override-limit"), timezone.now().date() + timedelta(days=3)
    values = {
        "dimension": "database.bytes",
        "soft_limit": "",
        "hard_limit": "1.5 GiB",
        "reason": "A trial.",
        "ends_at": str(last_day),
    }
    assert confirm(operator, address, values).status_code == 302
    with enter(workspace):
        made = QuotaOverride.objects.get()
        assert (made.hard_limit, made.reason) == (3 * 2**29, "A trial.")
        assert made.ends_at.date() == last_day + timedelta(days=1)
    seen = WorkspaceUsage.objects.get(workspace_id=workspace.pk, dimension_id="database.bytes")
    assert (seen.limit_source, seen.hard_limit) == ("override", 3 * 2**29)
    assert "It replaces the override" in operator.post(address, values).context["preview"].notes[0]
    assert "act/end-override" in operator.get(page).content.decode()
    end = act_on(workspace, "end-override")
    assert list(operator.post(end, {"dimension": TOKENS}).context["form"].errors) == ["dimension"]
    assert confirm(operator, end, {"dimension": "database.bytes"}).status_code == 302
    with enter(workspace):
        assert Quota.objects.get(dimension="database.bytes").limit_source == "plan"
        actions = set(AuditEvent.objects.values_list("action", flat=True))
    assert {"quota.override", "quota.end_override"} <= actions


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"dimension": "gold"}, "dimension"),
        ({"hard_limit": "5 h"}, "hard_limit"),
        ({"reason": " "}, "reason"),
        ({"ends_at": "soon"}, "ends_at"),
        ({"ends_at": "9999-12-31"}, "ends_at"),
        ({"ends_at": "2020-01-01", "confirmed": "1"}, "ends_at"),
        ({"ends_at": "2020-01-01"}, "ends_at"),
    ],
)
def test_an_override_that_can_not_be_is_refused_beside_its_field(
    operator: Any, workspace: Any, changed: Any, field: str
) -> None:
    values = {"dimension": TOKENS, "hard_limit": "5", "reason": "x", "ends_at": "2999-01-01", **changed}
    page = operator.post(act_on(workspace, "override-limit"), values)
    assert list(page.context["form"].errors) == [field]


def test_members_reach_none_of_it(user: Any, workspace: Any) -> None:
    member = browser_of(user)
    for address in (limit_act(), act_on(workspace, "change-plan"), act_on(workspace, "override-limit"), USE, DRIFT):
        assert member.get(address).status_code in {302, 403, 404}
        assert member.post(address, {"plan": "team", "confirmed": "1"}).status_code in {302, 403, 404}
    workspace.refresh_from_db()
    assert workspace.plan_code == "free"


def test_the_overview_of_use_is_filtered_and_found_by_workspace(
    operator: Any, make_user: Any, make_workspace: Any
) -> None:
    calm, full = make_workspace(owner=make_user()), make_workspace(owner=make_user())
    use(calm, 1)
    use(full, 190_000)
    rows = WorkspaceUsage.objects.filter(workspace_id=full.pk, dimension_id="apps")
    rows.update(over_since=timezone.now())

    def found(query: str) -> set[tuple[str, str]]:
        answer = operator.get(f"{USE}?{query}")
        assert answer.status_code == 200
        return {(row.workspace_slug, row.dimension_id) for row in answer.context["cl"].result_list}

    assert found(f"dimension={TOKENS}") == {(calm.slug, TOKENS), (full.slug, TOKENS)}
    assert found(f"dimension={TOKENS}&share=80") == {(full.slug, TOKENS)}
    assert found("standing=over") == {(full.slug, "apps")}
    assert {slug for slug, _ in found(f"q={calm.slug}")} == {calm.slug}
    assert found("source=override") == set()
    start = operator.get("/admin/").content.decode()
    assert "standing=over" in start
    assert "console-tile--warn" in start


def test_drift_is_listed_and_counted_on_the_start_page(operator: Any, workspace: Any) -> None:
    for days in (1, 30):
        UsageDrift.objects.create(
            workspace_id=workspace.pk,
            dimension_id="database.bytes",
            what="level",
            counted=3 * 2**30,
            found=2**30,
            found_at=timezone.now() - timedelta(days=days),
        )
    text = operator.get(DRIFT).content.decode()
    assert "2 GiB too much" in text
    assert workspace.slug in text
    tiles = {tile["label"]: tile for tile in operator.get("/admin/").context["tiles"]}
    assert tiles["Drift of quotas in 7 days"]["value"] == 1
    assert len(operator.get(tiles["Drift of quotas in 7 days"]["link"]).context["cl"].result_list) == 1


def test_lists_and_previews_ask_as_often_for_many_workspaces(
    operator: Any, make_user: Any, make_workspace: Any, django_assert_max_num_queries: Any
) -> None:
    for _ in range(3):
        use(make_workspace(owner=make_user()), 50)
    operator.get(USE)
    with django_assert_max_num_queries(12):
        operator.get(USE)
    with django_assert_max_num_queries(12):
        operator.post(limit_act(), {"hard_limit": "5"})
