"""What the kinds of operations on a database and its logins do, for the test that kills their workers."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.utils import timezone

from apps.accounts.tests.factories import UserFactory
from apps.common.actors import SYSTEM
from apps.databases.models import DatabaseServer, WorkspaceDatabase
from apps.databases.services.deletion import request_due_deletions
from apps.databases.services.provisioning import create_database
from apps.databases.services.rotation import look_at_draining_logins, rotate_secret
from apps.databases.tests.factories import (
    add_suite_server,
    connect_as_login,
    dropping_databases,
    provision,
    suite_dsn,
)
from apps.events.models import Event
from apps.workspaces.services.lifecycle import suspend_workspace
from apps.workspaces.tests.factories import create_test_workspace
from config.testing.scenarios import Point, Scenario, scenario_of


class DatabaseScenario(Scenario):
    """On a workspace's database of its own, dropped with all that was made for it when the scenario is over."""

    database: WorkspaceDatabase

    def prepare(self) -> None:
        self.place.stack.enter_context(dropping_databases())
        if not DatabaseServer.objects.exists():
            add_suite_server()
        self.workspace = create_test_workspace(owner=UserFactory())
        self.make()

    def make(self) -> None:
        """Unless the scenario is about that: the database is there, and ready."""
        self.forget_row_at_the_end()
        self.database = provision(self.workspace)

    def forget_row_at_the_end(self) -> None:
        rows = WorkspaceDatabase.objects.filter(workspace=self.workspace)
        self.place.stack.callback(rows.update, status="deleted", drain_until=None)

    def names_on_server(self) -> tuple[set[str], set[str]]:
        """The databases and the roles that bear the database's prefix."""
        with psycopg.connect(suite_dsn()) as server:
            stem = [self.database.prefix]
            databases = server.execute("SELECT datname FROM pg_database WHERE starts_with(datname::text, %s)", stem)
            names = {row[0] for row in databases.fetchall()}
            roles = server.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname::text, %s)", stem)
            return names, {row[0] for row in roles.fetchall()}

    def require_no_orphans(self, *kept: str) -> None:
        """On the server stands the database with its five roles, beside those that are told, and nothing else."""
        one = self.database
        roles = {one.ddl_role, one.app_role, one.read_role, one.login("a"), one.login("b")}
        assert self.names_on_server() == ({one.name, *kept}, roles)

    def require_login(self) -> None:
        """The published login gets in and may change rows."""
        self.database.refresh_from_db()
        with connect_as_login(self.database) as client:
            assert client.execute("SHOW search_path").fetchone() == ("app",)

    def events(self, type_: str) -> int:
        return int(Event.objects.filter(type=type_, workspace_id=self.workspace.pk).count())


@scenario_of("databases.provision")
class Provision(DatabaseScenario):
    points = (
        Point("make_roles", "some made, not committed", "apps.databases.clients.roles._ensure_role", call=4),
        Point("establish", "established, nobody let in", "apps.databases.services.provisioning.admit_logins"),
        Point("publish", "password given, not tried", "apps.databases.services.provisioning.open_as_login"),
        Point("publish", "ready, not committed", "apps.databases.services.provisioning.emit_event", behind=True),
    )

    def make(self) -> None:
        self.forget_row_at_the_end()

    def ask(self) -> Any:
        operation = create_database(workspace=self.workspace, actor=SYSTEM, now=timezone.now())
        self.database = WorkspaceDatabase.objects.select_related("server").get(pk=operation.target_id)
        return operation

    def check_done(self, operation: Any) -> None:
        self.require_login()
        assert (self.database.status, self.database.secret_version) == ("ready", 1)
        self.require_no_orphans()
        assert self.events("database.created") == 1


@scenario_of("databases.delete")
class Delete(DatabaseScenario):
    points = (
        Point("drop", "databases dropped, roles not", "apps.databases.services.deletion.drop_roles"),
        Point("forget", "forgotten, not committed", "apps.databases.services.deletion.emit_event", behind=True),
    )

    def make(self) -> None:
        super().make()
        with psycopg.connect(suite_dsn(), autocommit=True) as server:
            server.execute(f'CREATE DATABASE "{self.database.name}_k1" TEMPLATE template0')
        rows = WorkspaceDatabase.objects.filter(pk=self.database.pk)
        rows.update(status="deleting", delete_after=timezone.now())

    def ask(self) -> Any:
        assert request_due_deletions(now=timezone.now()) == 1
        return self.requested("databases.delete", self.database.pk)

    def check_done(self, operation: Any) -> None:
        self.database.refresh_from_db()
        assert (self.database.status, self.database.secret, self.database.next_secret) == ("deleted", "", "")
        assert self.names_on_server() == (set(), set())
        assert self.events("database.deleted") == 1


@scenario_of("databases.rotate")
class Rotate(DatabaseScenario):
    points = (
        Point("prepare", "kept, not given", "apps.databases.services.rotation.set_verifier"),
        Point("publish", "published, not committed", "apps.databases.services.rotation.emit_event", behind=True),
    )

    def ask(self) -> Any:
        return rotate_secret(workspace=self.workspace, actor=SYSTEM, now=timezone.now())

    def check_while_dead(self) -> None:
        self.require_login()

    def check_done(self, operation: Any) -> None:
        self.require_login()
        one = self.database
        assert (one.active_login, one.secret_version, one.next_secret) == ("b", 2, "")
        assert self.events("database.rotated") == 1
        self.require_no_orphans()


@scenario_of("databases.retire")
class Retire(DatabaseScenario):
    points = (
        Point("retire", "nobody gets in, password not taken", "apps.databases.services.rotation.set_verifier"),
        Point("retire", "taken, still shut", "apps.databases.services.rotation.limit_login", call=2),
    )

    def make(self) -> None:
        super().make()
        operation = rotate_secret(workspace=self.workspace, actor=SYSTEM, now=timezone.now())
        self.await_worker(operation)
        now = timezone.now()
        WorkspaceDatabase.objects.filter(pk=self.database.pk).update(
            rotated_at=now - settings.DATABASE_ROTATION_DRAIN, drain_until=now
        )

    def ask(self) -> Any:
        assert look_at_draining_logins(now=timezone.now()) == 0
        return self.requested("databases.retire", self.database.pk)

    def check_while_dead(self) -> None:
        self.require_login()

    def check_done(self, operation: Any) -> None:
        self.require_login()
        assert self.database.drain_until is None
        with psycopg.connect(suite_dsn()) as server:
            query = "SELECT rolname FROM pg_authid WHERE rolpassword IS NOT NULL AND starts_with(rolname::text, %s)"
            assert server.execute(query, [self.database.prefix]).fetchall() == [(self.database.login("b"),)]


@scenario_of("databases.admit")
class Admit(DatabaseScenario):
    points = (Point("admit", "no more logins, sessions not ended", "apps.databases.clients.roles.end_login_sessions"),)

    def make(self) -> None:
        super().make()
        self.client = self.place.stack.enter_context(connect_as_login(self.database))

    def ask(self) -> Any:
        suspend_workspace(workspace_id=self.workspace.pk, reason="Unpaid", actor=SYSTEM, now=timezone.now())
        return self.requested("databases.admit", self.database.pk)

    def check_done(self, operation: Any) -> None:
        assert operation.result == {"admitted": False}
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            connect_as_login(self.database)
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            self.client.execute("SELECT 1")
