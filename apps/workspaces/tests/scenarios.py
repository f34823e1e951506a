"""What the workspaces' kinds of operations do, for the test that kills their workers."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from django.db import connection
from django.utils import timezone

from apps.accounts.tests.factories import UserFactory
from apps.applications.models import App
from apps.common.actors import SYSTEM
from apps.common.schema_ddl import release_fingerprint
from apps.common.tenancy import enter
from apps.events.models import Event
from apps.operations.services.requests import request_operation
from apps.workspaces.models import Membership, SchemaSlot, Workspace
from apps.workspaces.services.creation import create_workspace
from apps.workspaces.services.slots import add_slot
from config.testing.scenarios import Point, Scenario, scenario_of


def tables_in(schema_name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = %s", [schema_name])
        return int(cursor.fetchone()[0])


def schema_exists(schema_name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema_name])
        return cursor.fetchone() is not None


def require_no_orphans() -> None:
    """Every schema is one that a slot or a workspace speaks for."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nspname FROM pg_namespace WHERE starts_with(nspname::text, 'ws_')"
            " EXCEPT SELECT schema_name FROM workspaces_schemaslot"
            " EXCEPT SELECT schema_name FROM workspaces_workspace"
        )
        assert cursor.fetchall() == []


def tables_of_a_workspace() -> int:
    return max(tables_in(name) for name in SchemaSlot.objects.values_list("schema_name", flat=True)[:20])


@scenario_of("workspaces.make_slot")
class MakeSlot(Scenario):
    points = (Point("make_schema", "made, not committed", "apps.workspaces.services.slots.create_schema", behind=True),)
    slot: SchemaSlot

    def ask(self) -> Any:
        self.slot = add_slot()
        return request_operation(
            kind="workspaces.make_slot", target_id=self.slot.pk, actor=SYSTEM, now=timezone.now(), priority=1
        )

    def check_while_dead(self) -> None:
        self.slot.refresh_from_db()
        assert schema_exists(self.slot.schema_name) == (self.slot.status == "ready")

    def check_done(self, operation: Any) -> None:
        self.slot.refresh_from_db()
        assert (self.slot.status, self.slot.fingerprint) == ("ready", release_fingerprint())
        assert tables_in(self.slot.schema_name) == tables_of_a_workspace()
        require_no_orphans()


@scenario_of("workspaces.finish")
class Finish(Scenario):
    points = (
        Point("make_schema", "made, not committed", "apps.workspaces.services.provisioning.create_schema", behind=True),
        Point("open", "opened, not committed", "apps.workspaces.services.provisioning.open_workspace", behind=True),
    )
    workspace: Workspace

    def prepare(self) -> None:
        self.owner = UserFactory()

    def ask(self) -> Any:
        # Nothing stands ready; a worker may be filling the pool at this moment.
        with patch("apps.workspaces.services.creation.claim_slot", return_value=None):
            self.workspace = create_workspace(owner=self.owner, name="Later", actor=SYSTEM, now=timezone.now())
        return self.requested("workspaces.finish", self.workspace.pk)

    def check_done(self, operation: Any) -> None:
        self.workspace.refresh_from_db()
        assert self.workspace.status == "active"
        assert tables_in(self.workspace.schema_name) == tables_of_a_workspace()
        with enter(self.workspace):
            assert [app.slug for app in App.objects.all()] == ["home"]
        assert Event.objects.filter(type="workspace.created", workspace_id=self.workspace.pk).count() == 1
        assert Membership.objects.filter(workspace=self.workspace).count() == 1
        require_no_orphans()
