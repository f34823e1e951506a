"""Workspaces that are carried away, brought, upgraded and purged."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from apps.applications.models import App
from apps.applications.services.apps import create_app
from apps.archives.tests.factories import bring, export, members_of
from apps.billing.models import Quota
from apps.billing.services.consumption import consume
from apps.billing.services.holds import HOLD_KIND, hold_for_operation
from apps.billing.tests.factories import quota_of, set_limit
from apps.common.actors import SYSTEM
from apps.common.errors import QuotaExceeded
from apps.common.ids import new_id
from apps.common.schema_ddl import fingerprint_of
from apps.common.schema_migration import applied_migrations, present_release
from apps.common.tenancy import enter, schemas_holding
from apps.operations.models import Operation
from apps.operations.services.engine import run_operation
from apps.plans.models import PlanLimit
from apps.workspaces.models import DueWork, Workspace
from apps.workspaces.services.fleet import migrate_fleet
from apps.workspaces.services.purge import purge_due_workspaces

pytestmark = pytest.mark.django_db

TABLES = [model._meta.db_table for model in apps.get_app_config("billing").get_models()]


def make_app(workspace: Any, name: str) -> None:
    with enter(workspace):
        create_app(workspace=workspace, actor=SYSTEM, name=name, now=timezone.now())


def test_use_stays_where_it_happened_and_a_copy_has_quotas_of_its_own_plan(api: Any, workspace: Any) -> None:
    set_limit(workspace, "apps", 3)
    make_app(workspace, "Two")
    with enter(workspace):
        consume(
            workspace=workspace,
            dimension="runtime.requests",
            amount=7,
            key="k",
            source="api",
            actor="",
            now=timezone.now(),
        )
    _, archive = export(api, workspace)
    members = members_of(archive)
    assert not [name for name, _ in members if name.startswith("tables/billing_")]
    told = {table["name"]: table for table in json.loads(members[-1][1])["tables"]}
    assert {told[name]["rows"] for name in TABLES} == {0}

    copy = Workspace.objects.get(pk=bring(api, archive).result["workspace"])
    apps_there, requests = quota_of(copy, "apps"), quota_of(copy, "runtime.requests")
    assert (apps_there.hard_limit, apps_there.used) == (25, 2)
    assert (requests.hard_limit, requests.used) == (100_000, 0)
    assert quota_of(copy, "members").used == 1
    assert quota_of(workspace, "runtime.requests").used == 7


def test_an_archive_with_more_than_the_plan_allows_does_not_come_in(api: Any, workspace: Any) -> None:
    for name in ("Two", "Three"):
        make_app(workspace, name)
    _, archive = export(api, workspace)
    before = Workspace.objects.count()
    PlanLimit.objects.filter(plan_id="free", dimension_id="apps").update(soft_limit=None, hard_limit=2)
    refused = bring(api, archive)
    assert (refused.status, refused.error["code"]) == ("failed", "quota_exceeded")
    assert "0 of 2 are used" in refused.error["detail"]
    assert Workspace.objects.count() == before


def take_billing_out(workspace: Any) -> None:
    """As if the release before had made the schema, which knows nothing of quotas."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f'DROP TABLE "{workspace.schema_name}"."{table}" CASCADE')
        cursor.execute(f"DELETE FROM \"{workspace.schema_name}\".django_migrations WHERE app = 'billing'")
    former = fingerprint_of(applied_migrations(workspace.schema_name))
    assert former != present_release().fingerprint
    Workspace.objects.filter(pk=workspace.pk).update(fingerprint=former)


def test_an_installation_that_upgrades_gets_the_tables_and_quotas_when_they_are_needed(workspace: Any) -> None:
    take_billing_out(workspace)
    assert workspace.schema_name not in schemas_holding("billing_quota")
    report = migrate_fleet()
    assert (report.migrated, report.failed) == (1, [])
    with enter(workspace):
        assert not Quota.objects.exists()
        App(slug="by-hand", name="By hand", draft={}).save()
    PlanLimit.objects.filter(plan_id="free", dimension_id="apps").update(soft_limit=None, hard_limit=3)
    make_app(workspace, "The last one")
    assert quota_of(workspace, "apps").used == 3
    with pytest.raises(QuotaExceeded):
        make_app(workspace, "One too many")


def test_a_purge_takes_quotas_holds_and_what_waits(workspace: Any) -> None:
    now = timezone.now()
    hold_for_operation(workspace_id=workspace.pk, dimension="database.bytes", operation_id=new_id(), amount=5, now=now)
    assert DueWork.objects.filter(workspace=workspace, kind=HOLD_KIND).exists()
    Workspace.objects.filter(pk=workspace.pk).update(
        status="closed", status_before_closing="active", purge_after=now - timedelta(seconds=1)
    )
    purge(workspace)
    assert workspace.schema_name not in schemas_holding("billing_quota")
    assert not DueWork.objects.filter(workspace=workspace).exists()


def purge(workspace: Any) -> None:
    assert purge_due_workspaces(now=timezone.now()) == 1
    operation = Operation.objects.get(kind="workspaces.purge", target_id=str(workspace.pk))
    with connection.cursor() as cursor:
        # What the test's one transaction has put off until its end would keep the tables from being dropped.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    run_operation(operation_id=operation.pk, owner="test", clock=timezone.now)
    operation.refresh_from_db()
    assert operation.status == "succeeded", operation.error
