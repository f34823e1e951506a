"""The built-in dimensions and plans."""

from __future__ import annotations

from typing import Any

from apps.plans.models import Dimension, Plan, PlanLimit
from apps.plans.services.catalogue import DIMENSIONS, seed_plans


def test_every_plan_limits_every_dimension(db: None) -> None:
    assert Dimension.objects.count() == len(DIMENSIONS) == 10
    for plan in Plan.objects.all():
        assert plan.limits.count() == 10
    assert list(Plan.objects.values_list("code", flat=True)) == ["free", "team", "business"]


def test_what_an_operator_changed_survives_seeding(db: None) -> None:
    limit = PlanLimit.objects.get(plan="free", dimension="apps")
    limit.hard_limit = 99
    limit.save()
    seed_plans()
    limit.refresh_from_db()
    assert limit.hard_limit == 99


def test_api(api: Any, make_client: Any) -> None:
    dimensions = api.get("/api/v1/billing/dimensions").json()["items"]
    assert {"code", "name", "unit", "kind", "reset", "on_failure"} == set(dimensions[0])
    plans = api.get("/api/v1/billing/plans").json()["items"]
    assert [plan["code"] for plan in plans] == ["free", "team", "business"]
    assert len(plans[0]["limits"]) == 10
    assert make_client().get("/api/v1/billing/plans").status_code == 401
