"""Operators add and change plans and dimensions: checked, audited, in the console only they reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.tests.factories import browser_of
from apps.audit.models import AuditEvent
from apps.common.actors import SYSTEM
from apps.common.errors import InvalidInput
from apps.plans.errors import BuiltInPlan
from apps.plans.models import Dimension, Plan, PlanLimit
from apps.plans.selectors.dimensions import find_dimension, forget_dimensions, known_dimensions
from apps.plans.services.catalogue import seed_plans
from apps.plans.services.dimensions import add_dimension, change_dimension
from apps.plans.services.limits import remove_limit
from apps.plans.services.plans import PlanTerms, add_plan, edit_plan, remove_plan
from apps.workspaces.errors import PlanInUse
from apps.workspaces.services.lifecycle import close_workspace, restore_workspace
from apps.workspaces.services.plans import change_plan

pytestmark = pytest.mark.django_db

PLAN = "/admin/plans/plan/"
DIMENSION = "/admin/plans/dimension/"
SMS = {"code": "sms.messages", "name": "Messages", "unit": "message", "reset": "monthly", "on_failure": "closed"}
GOLD = {"code": "gold", "name": "Gold", "description": "Shines.", "position": "7", "running_operations": "3"}


@pytest.fixture(autouse=True)
def _known_anew() -> Iterator[None]:
    yield
    forget_dimensions()


@pytest.fixture
def operator(make_user: Any) -> Any:
    return browser_of(make_user(is_staff=True))


def by(**values: Any) -> dict[str, Any]:
    return {**values, "actor": SYSTEM, "now": timezone.now()}


def pointers(error: pytest.ExceptionInfo[InvalidInput]) -> list[str]:
    return [fault.pointer for fault in error.value.errors]


# --- Plans --------------------------------------------------------------------------------------------------------


def test_a_plan_is_added_changed_and_removed_in_the_console(operator: Any) -> None:
    assert operator.get(f"{PLAN}act/add/").status_code == 200
    assert operator.post(f"{PLAN}act/add/", GOLD).status_code == 302
    made = Plan.objects.get(code="gold")
    assert (made.name, made.description, made.position, made.running_operations) == ("Gold", "Shines.", 7, 3)
    assert not made.limits.exists()
    page = f"{PLAN}gold/act/change/"
    assert 'value="Gold"' in operator.get(page).content.decode()
    changed = {"name": "Silver", "description": "", "position": "8", "running_operations": ""}
    assert operator.post(page, changed).status_code == 302
    made.refresh_from_db()
    assert (made.name, made.description, made.position, made.running_operations) == ("Silver", "", 8, None)
    removed = operator.post(f"{PLAN}gold/act/remove/", follow=True)
    assert removed.redirect_chain == [(PLAN, 302)]
    assert "The plan Silver is removed." in removed.content.decode()
    assert not Plan.objects.filter(code="gold").exists()
    trail = AuditEvent.objects.filter(target_id="gold").order_by("at", "id")
    assert [act.action for act in trail] == ["plan.add", "plan.change", "plan.remove"]
    assert trail[1].changes["name"] == ["Gold", "Silver"]
    assert {act.actor_kind for act in trail} == {"user"}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"code": "free"}, "code"),
        ({"code": "Gold!"}, "code"),
        ({"code": "g" * 41}, "code"),
        ({"name": " "}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"position": "-1"}, "position"),
        ({"position": "32768"}, "position"),
        ({"running_operations": "0"}, "running_operations"),
        ({"description": "x" * 301}, "description"),
    ],
)
def test_a_plan_that_can_not_be_is_refused_beside_its_field(operator: Any, changed: Any, field: str) -> None:
    page = operator.post(f"{PLAN}act/add/", {**GOLD, **changed})
    assert page.status_code == 200
    assert list(page.context["form"].errors) == [field]
    assert Plan.objects.count() == 3


def test_the_services_check_by_themselves() -> None:
    with pytest.raises(InvalidInput) as error:
        add_plan(code="gold", terms=PlanTerms("", "x" * 301, 40_000, 0), **by())
    assert pointers(error) == ["/name", "/description", "/position", "/running_operations"]
    with pytest.raises(InvalidInput) as error:
        edit_plan(code="free", terms=PlanTerms(""), **by())
    assert pointers(error) == ["/name"]
    unchanged = Plan.objects.get(code="free")
    edit_plan(code="free", terms=PlanTerms(unchanged.name, unchanged.description, unchanged.position), **by())
    assert not AuditEvent.objects.filter(action="plan.change").exists()


def test_a_plan_that_somebody_is_on_stays(operator: Any, workspace: Any) -> None:
    add_plan(code="gold", terms=PlanTerms("Gold"), **by())
    change_plan(workspace_id=workspace.pk, plan_code="gold", **by())
    page = operator.post(f"{PLAN}gold/act/remove/")
    assert "1 workspace is on this plan." in page.content.decode()
    close_workspace(workspace_id=workspace.pk, **by())
    with pytest.raises(PlanInUse):
        remove_plan(code="gold", **by())
    restore_workspace(workspace_id=workspace.pk, **by())
    change_plan(workspace_id=workspace.pk, plan_code="free", **by())
    remove_plan(code="gold", **by())
    with pytest.raises(InvalidInput):
        change_plan(workspace_id=workspace.pk, plan_code="gold", **by())


def test_a_built_in_plan_stays(operator: Any) -> None:
    with pytest.raises(BuiltInPlan):
        remove_plan(code="business", **by())
    assert "act/remove" not in operator.get(f"{PLAN}business/change/").content.decode()
    assert "can&#x27;t be removed" in operator.post(f"{PLAN}business/act/remove/").content.decode()
    assert Plan.objects.filter(code="business").exists()


def test_a_removed_limit_of_a_built_in_plan_is_not_made_again() -> None:
    limit = PlanLimit.objects.get(plan="free", dimension="apps")
    remove_limit(plan_limit_id=limit.pk, **by())
    seed_plans()
    assert not PlanLimit.objects.filter(plan="free", dimension="apps").exists()
    Plan.objects.filter(code="team").delete()
    seed_plans()
    assert PlanLimit.objects.filter(plan="team").count() == 10


# --- Dimensions ---------------------------------------------------------------------------------------------------


def test_a_counter_is_added_and_changed_in_the_console(operator: Any, django_capture_on_commit_callbacks: Any) -> None:
    known_dimensions()
    assert operator.get(f"{DIMENSION}act/add/").status_code == 200
    assert operator.post(f"{DIMENSION}act/add/", SMS).status_code == 302
    found = find_dimension("sms.messages")
    assert found is not None
    assert (found.kind, found.reset, found.unit) == ("counter", "monthly", "message")
    with django_capture_on_commit_callbacks(execute=True):
        changed = {"name": "SMS", "unit": "part", "on_failure": "open"}
        assert operator.post(f"{DIMENSION}sms.messages/act/change/", changed).status_code == 302
    now_known = known_dimensions()["sms.messages"]
    assert (now_known.name, now_known.unit, now_known.on_failure) == ("SMS", "part", "open")
    trail = AuditEvent.objects.filter(target_kind="dimension").order_by("at", "id")
    assert [act.action for act in trail] == ["dimension.add", "dimension.change"]
    assert trail[1].changes["unit"] == ["message", "part"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"code": "ai.tokens"}, "code"),
        ({"code": "Sms"}, "code"),
        ({"code": "sms..messages"}, "code"),
        ({"code": ".sms"}, "code"),
        ({"name": " "}, "name"),
        ({"unit": "two words"}, "unit"),
        ({"unit": "Message"}, "unit"),
        ({"reset": "yearly"}, "reset"),
        ({"on_failure": "maybe"}, "on_failure"),
    ],
)
def test_a_dimension_that_can_not_be_is_refused_beside_its_field(operator: Any, changed: Any, field: str) -> None:
    page = operator.post(f"{DIMENSION}act/add/", {**SMS, **changed})
    assert page.status_code == 200
    assert list(page.context["form"].errors) == [field]
    assert Dimension.objects.count() == 10


def test_the_services_of_dimensions_check_by_themselves() -> None:
    with pytest.raises(InvalidInput) as error:
        add_dimension(code="x y", name="", unit="", reset="yearly", on_failure="maybe", **by())
    assert sorted(pointers(error)) == ["/code", "/name", "/on_failure", "/reset", "/unit"]
    with pytest.raises(InvalidInput) as error:
        change_dimension(code="database.bytes", name="Size", unit="kilobyte", on_failure="closed", **by())
    assert pointers(error) == ["/unit"]
    renamed = change_dimension(code="database.bytes", name="Size", unit="byte", on_failure="closed", **by())
    assert renamed.name == "Size"


def test_members_reach_none_of_it(user: Any, workspace: Any) -> None:
    member = browser_of(user)
    for address, values in (
        (f"{PLAN}act/add/", GOLD),
        (f"{PLAN}free/act/change/", {"name": "Mine", "position": "1"}),
        (f"{PLAN}free/act/remove/", {}),
        (f"{DIMENSION}act/add/", SMS),
        (f"{DIMENSION}apps/act/change/", {"name": "Mine", "unit": "app", "on_failure": "open"}),
    ):
        assert member.get(address).status_code in {302, 403, 404}
        assert member.post(address, values).status_code in {302, 403, 404}
    assert not Plan.objects.filter(code="gold").exists()
    assert not Dimension.objects.filter(code="sms.messages").exists()
    assert not Plan.objects.filter(name="Mine").exists()
    assert not Dimension.objects.filter(name="Mine").exists()
