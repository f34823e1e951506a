"""Limits that operators add and remove, counters of their own, and corrections of what the platform metered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.tests.factories import browser_of
from apps.audit.models import AuditEvent
from apps.billing.models import Quota, UsageEvent
from apps.billing.services.consumption import consume
from apps.billing.services.plan_changes import follow_plan
from apps.billing.services.upkeep import tell_operators
from apps.common.actors import SYSTEM
from apps.common.errors import InvalidInput, QuotaExceeded
from apps.common.ids import new_id
from apps.common.tenancy import enter
from apps.operations.models import Operation
from apps.plans.models import PlanLimit
from apps.plans.selectors.dimensions import forget_dimensions, known_dimensions
from apps.plans.selectors.limits import Limits
from apps.plans.services.dimensions import add_dimension
from apps.plans.services.limits import add_limit, change_limit, remove_limit
from apps.workspaces.models import Role
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db

SMS, TOKENS = "sms.messages", "ai.tokens"
ADD = "/admin/plans/plan/free/act/add-limit/"


@pytest.fixture(autouse=True)
def _known_anew() -> Iterator[None]:
    yield
    forget_dimensions()


@pytest.fixture
def operator(make_user: Any) -> Any:
    return browser_of(make_user(is_staff=True))


@pytest.fixture
def counter() -> str:
    """A counter of the operator's own, which this process didn't know a moment ago."""
    known_dimensions()
    names = {"name": "Messages", "unit": "message", "reset": "daily", "on_failure": "closed"}
    add_dimension(code=SMS, **names, actor=SYSTEM, now=timezone.now())
    return SMS


def use(workspace: Any, amount: int, *, dimension: str, source: str = "api") -> UsageEvent:
    now = timezone.now()
    with enter(workspace):
        told = consume(
            workspace=workspace,
            dimension=dimension,
            amount=amount,
            key=str(new_id()),
            source=source,
            actor="",
            now=now,
        )
        tell_operators(workspace=workspace, now=now)
        entry: UsageEvent = UsageEvent.objects.get(pk=told["id"])
    return entry


def limit_of(dimension: str) -> PlanLimit:
    limit: PlanLimit = PlanLimit.objects.get(plan_id="free", dimension_id=dimension)
    return limit


def follow(workspace: Any, dimension: str) -> Quota:
    """What the operation does for each workspace on the plan."""
    with enter(workspace):
        follow_plan(workspace=workspace, dimensions=[dimension], now=timezone.now())
        quota: Quota = Quota.objects.get(dimension=dimension)
    return quota


def quota_of(workspace: Any, dimension: str) -> Quota:
    with enter(workspace):
        quota: Quota = Quota.objects.get(dimension=dimension)
    return quota


# --- Limits -------------------------------------------------------------------------------------------------------


def test_a_new_counter_counts_at_once_in_workspaces_that_were_there(workspace: Any, counter: str) -> None:
    with enter(workspace):
        assert not Quota.objects.filter(dimension=counter).exists()
    use(workspace, 5, dimension=counter)
    quota = quota_of(workspace, counter)
    assert (quota.used, quota.hard_limit, quota.reset) == (5, None, "daily")
    assert quota.period_end is not None


def test_what_another_process_added_counts_at_once_too(workspace: Any, counter: str) -> None:
    assert counter not in known_dimensions(), "this process hasn't looked since"
    use(workspace, 1, dimension=counter)
    with pytest.raises(InvalidInput):
        use(workspace, 1, dimension="sms.letters")


def test_a_limit_is_added_with_a_preview_and_holds(operator: Any, workspace: Any, counter: str) -> None:
    use(workspace, 7, dimension=counter)
    page = operator.post(ADD, {"dimension": counter, "hard_limit": "5"})
    preview = page.context["preview"]
    assert preview.summary == "Messages, plan Free: unlimited → 5."
    assert "1 would be over the new limit." in preview.notes[0]
    assert preview.tables[0].rows == [(workspace.slug, "7", "0", "unlimited", "Plan")]
    assert not PlanLimit.objects.filter(dimension=counter).exists()
    done = operator.post(ADD, {"dimension": counter, "hard_limit": "10", "soft_limit": "6", "confirmed": "1"})
    assert done.status_code == 302
    assert (limit_of(counter).soft_limit, limit_of(counter).hard_limit) == (6, 10)
    assert Operation.objects.filter(kind="billing.apply_plan").count() == 1
    act = AuditEvent.objects.get(action="plan.add_limit")
    assert act.changes["hard_limit"] == [None, 10]
    assert follow(workspace, counter).hard_limit == 10
    use(workspace, 3, dimension=counter)
    with pytest.raises(QuotaExceeded):
        use(workspace, 1, dimension=counter)


def test_a_removed_limit_is_unlimited(operator: Any, workspace: Any) -> None:
    address = f"/admin/plans/planlimit/{limit_of(TOKENS).pk}/act/remove/"
    preview = operator.post(address).context["preview"]
    assert preview.summary == "AI tokens, plan Free: 200,000, soft 160,000 → unlimited."
    assert PlanLimit.objects.filter(plan_id="free", dimension_id=TOKENS).exists()
    done = operator.post(address, {"confirmed": "1"}, follow=True)
    assert done.redirect_chain == [("/admin/plans/planlimit/", 302)]
    assert AuditEvent.objects.get(action="plan.remove_limit").changes["hard_limit"] == [200_000, None]
    assert Operation.objects.filter(kind="billing.apply_plan").count() == 1
    quota = follow(workspace, TOKENS)
    assert (quota.hard_limit, quota.soft_limit) == (None, None)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"dimension": TOKENS, "hard_limit": "5"}, "dimension"),
        ({"dimension": "gold", "hard_limit": "5"}, "dimension"),
        ({"dimension": SMS}, "hard_limit"),
        ({"dimension": SMS, "overage": "on", "confirmed": "1"}, "hard_limit"),
        ({"dimension": SMS, "hard_limit": "many"}, "hard_limit"),
        ({"dimension": SMS, "hard_limit": "5", "soft_limit": "6"}, "soft_limit"),
    ],
)
def test_an_added_limit_that_can_not_be_is_refused_beside_its_field(
    operator: Any, counter: str, values: Any, field: str
) -> None:
    page = operator.post(ADD, values)
    assert list(page.context["form"].errors) == [field]
    assert not PlanLimit.objects.filter(dimension=counter).exists()


def test_the_services_of_limits_check_by_themselves() -> None:
    given: dict[str, Any] = {"plan_code": "free", "actor": SYSTEM, "now": timezone.now()}
    for dimension, limits, pointer in (
        (TOKENS, Limits(None, 5), "/dimension"),
        ("gold", Limits(None, 5), "/dimension"),
        (TOKENS, Limits(), "/hard_limit"),
        (TOKENS, Limits(None, 2**63), "/hard_limit"),
    ):
        with pytest.raises(InvalidInput) as error:
            add_limit(dimension=dimension, limits=limits, **given)
        assert [fault.pointer for fault in error.value.errors] == [pointer]
    assert not Operation.objects.filter(kind="billing.apply_plan").exists()


def test_the_trail_tells_limits_of_tokens_in_clear() -> None:
    row = limit_of(TOKENS)
    change_limit(plan_limit_id=row.pk, limits=Limits(None, 7), actor=SYSTEM, now=timezone.now())
    remove_limit(plan_limit_id=row.pk, actor=SYSTEM, now=timezone.now())
    acts = AuditEvent.objects.filter(target_kind="plan").order_by("at", "id")
    assert [act.changes["hard_limit"] for act in acts] == [[200_000, 7], [7, None]]
    assert {act.target_name for act in acts} == {"Free, ai.tokens"}


def test_members_reach_none_of_it(user: Any, counter: str) -> None:
    member, removing = browser_of(user), f"/admin/plans/planlimit/{limit_of(TOKENS).pk}/act/remove/"
    for address in (ADD, removing):
        assert member.post(address, {"dimension": SMS, "hard_limit": "5", "confirmed": "1"}).status_code in {302, 403}
    assert limit_of(TOKENS).hard_limit == 200_000
    assert not PlanLimit.objects.filter(dimension=counter).exists()


# --- Corrections --------------------------------------------------------------------------------------------------


def correcting(workspace: Any, entry: UsageEvent) -> str:
    return f"/admin/w/{workspace.slug}/billing/usageevent/{entry.pk}/act/correct/"


def visit(browser: Any, workspace: Any) -> None:
    browser.post(f"/admin/w/{workspace.slug}/visit/", {"reason": "They were charged twice", "next": ""})


def test_an_operator_on_a_visit_corrects_what_the_platform_metered(operator: Any, workspace: Any) -> None:
    entry = use(workspace, 50, dimension=TOKENS, source="workflow")
    visit(operator, workspace)
    entry_page = f"/admin/w/{workspace.slug}/billing/usageevent/{entry.pk}/change/"
    assert "act/correct" in operator.get(entry_page).content.decode()
    address = correcting(workspace, entry)
    form = operator.get(address).context["form"]
    assert form["amount"].value() == "50"
    values = {"amount": "20", "note": "Counted twice.", "key": form["key"].value()}
    assert operator.post(address, values).status_code == 302
    assert operator.post(address, values).status_code == 302, "sent twice"
    assert quota_of(workspace, TOKENS).used == 30
    with enter(workspace):
        correction = UsageEvent.objects.get(corrects=entry.pk)
        assert (correction.amount, correction.note) == (-20, "Counted twice.")
        assert correction.actor.startswith("operator:")
        act = AuditEvent.objects.get(action="usage.correct")
        assert act.actor_kind == "operator"
        assert act.changes["used"] == [50, 30]
    assert operator.get(address).context["form"]["amount"].value() == "30"
    too_much = operator.post(address, {"amount": "31", "note": "More.", "key": "another"})
    assert "Of this use 30 are left" in too_much.content.decode()
    assert quota_of(workspace, TOKENS).used == 30


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"amount": "0"}, "amount"), ({"amount": "some"}, "amount"), ({"amount": ""}, "amount"), ({"note": ""}, "note")],
)
def test_a_correction_that_can_not_be_is_refused_beside_its_field(
    operator: Any, workspace: Any, changed: Any, field: str
) -> None:
    entry = use(workspace, 50, dimension=TOKENS)
    visit(operator, workspace)
    page = operator.post(correcting(workspace, entry), {"amount": "5", "note": "x", "key": "k", **changed})
    assert list(page.context["form"].errors) == [field]
    assert quota_of(workspace, TOKENS).used == 50


def test_members_correct_what_was_reported_only(user: Any, workspace: Any) -> None:
    reported, metered = (use(workspace, 50, dimension=TOKENS, source=source) for source in ("api", "workflow"))
    owner = browser_of(user)
    values = {"amount": "5", "note": "Twice.", "key": "one"}
    refused = owner.post(correcting(workspace, metered), values)
    assert "only an operator can correct it" in refused.content.decode()
    assert quota_of(workspace, TOKENS).used == 100
    assert owner.post(correcting(workspace, reported), values).status_code == 302
    assert quota_of(workspace, TOKENS).used == 95


def test_others_do_not_correct(operator: Any, make_user: Any, make_workspace: Any, workspace: Any) -> None:
    entry = use(workspace, 50, dimension=TOKENS)
    values = {"amount": "5", "note": "x", "key": "k"}
    viewer = make_user()
    add_member(workspace, viewer, role=Role.objects.get(workspace=None, code="viewer"))
    assert browser_of(viewer).post(correcting(workspace, entry), values).status_code == 403
    foreign = make_workspace(owner=make_user())
    assert browser_of(foreign.owner).post(correcting(workspace, entry), values).status_code == 404
    assert browser_of(foreign.owner).post(correcting(foreign, entry), values).status_code == 404
    assert "/visit/" in operator.post(correcting(workspace, entry), values)["Location"]
    assert quota_of(workspace, TOKENS).used == 50


def test_a_level_and_a_correction_can_not_be_corrected(user: Any, workspace: Any) -> None:
    entry = use(workspace, 50, dimension=TOKENS)
    owner = browser_of(user)
    owner.post(correcting(workspace, entry), {"amount": "5", "note": "x", "key": "k"})
    with enter(workspace):
        correction = UsageEvent.objects.get(corrects=entry.pk)
    page = f"/admin/w/{workspace.slug}/billing/usageevent/{correction.pk}/change/"
    assert "act/correct" not in owner.get(page).content.decode()
    refused = owner.post(correcting(workspace, correction), {"amount": "5", "note": "x", "key": "other"})
    assert refused.status_code == 200
    assert refused.context["form"].errors
    assert quota_of(workspace, TOKENS).used == 45
