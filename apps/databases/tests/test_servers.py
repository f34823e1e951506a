"""Servers: added when they are fit, chosen by what is on them for their weight, looked after."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.billing.tests.factories import set_limit
from apps.common.actors import SYSTEM
from apps.common.errors import IllegalTransition, QuotaExceeded
from apps.databases.clients.inspection import ServerReport
from apps.databases.errors import (
    DatabaseExists,
    NoServerAvailable,
    ProgramMissing,
    ServerUnavailable,
    ServerUnsafe,
    UnfitServer,
)
from apps.databases.models import DatabaseServer, WorkspaceDatabase
from apps.databases.selectors.placement import WeightedLeastLoad, server_loads
from apps.databases.services.provisioning import create_database
from apps.databases.services.servers import child_environment, libpq_environment, open_server, require_program
from apps.databases.services.servers.connections import admin_dsn
from apps.databases.services.servers.registration import (
    ServerTerms,
    activate_server,
    add_server,
    change_server,
    drain_server,
    register_embedded_server,
    take_server_offline,
)
from apps.databases.services.servers.watching import check_server, check_servers
from apps.databases.states import DatabaseStatus
from apps.databases.tests.factories import add_suite_server, suite_dsn
from apps.operations.models import Operation
from apps.workspaces.services.lifecycle import suspend_workspace

TERMS = ServerTerms(host="db.example.com")
NOBODY = "postgresql://x@127.0.0.1:1/postgres"


def add(dsn: str, *, name: str = "second") -> DatabaseServer:
    return add_server(name=name, dsn=dsn, terms=TERMS, actor=SYSTEM, now=timezone.now())


def faults(error: UnfitServer) -> set[tuple[str, str]]:
    return {(fault.pointer, fault.code) for fault in error.errors}


def test_fit_server_is_added_with_a_sealed_dsn(db: None) -> None:
    server = add(suite_dsn())
    assert server.version >= 150000
    assert "apprun" not in server.admin_dsn
    assert admin_dsn(server) == suite_dsn()


@pytest.mark.parametrize(
    ("dsn", "fault"),
    [
        ("nonsense", ("/dsn", "not_a_dsn")),
        (NOBODY, ("/dsn", "database_server_unavailable")),
    ],
)
def test_server_that_cannot_be_reached_is_refused(db: None, dsn: str, fault: tuple[str, str]) -> None:
    with pytest.raises(UnfitServer) as refused:
        add(dsn)
    assert faults(refused.value) == {fault}
    assert not DatabaseServer.objects.exists()


def test_login_that_is_no_superuser_is_refused(make_database: Any) -> None:
    database = make_database()
    with open_server(database.server) as server:
        server.execute(f"GRANT CONNECT ON DATABASE postgres TO {database.app_role}")
    try:
        with pytest.raises(UnfitServer) as refused:
            add(suite_dsn(**login_of(database)))
    finally:
        with open_server(database.server) as server:
            server.execute(f"REVOKE CONNECT ON DATABASE postgres FROM {database.app_role}")
    assert faults(refused.value) == {("/dsn", "no_superuser")}


@pytest.mark.parametrize("version", ["15.7", "16.3"])
def test_server_that_could_be_taken_over_by_being_dumped_is_refused(db: None, monkeypatch: Any, version: str) -> None:
    major, minor = map(int, version.split("."))
    told = ServerReport(major * 10_000 + minor, True, True, 100, 0)
    monkeypatch.setattr("apps.databases.services.servers.registration.inspect_server", lambda _: told)
    with pytest.raises(UnfitServer) as refused:
        add(suite_dsn())
    assert faults(refused.value) == {("/dsn", "unsafe")}
    assert f"Its PostgreSQL is {version}" in refused.value.errors[0].detail
    assert not DatabaseServer.objects.exists()


def test_server_that_turns_out_unsafe_says_so_at_the_next_look(database_server: Any, monkeypatch: Any) -> None:
    told = ServerReport(150007, True, True, 100, 0)
    monkeypatch.setattr("apps.databases.services.servers.watching.inspect_server", lambda _: told)
    check_server(database_server, now=timezone.now())
    database_server.refresh_from_db()
    assert "Upgrade it to 15.8" in database_server.error
    with pytest.raises(ServerUnsafe):
        require_program("pg_restore", server=database_server)


def login_of(database: WorkspaceDatabase) -> dict[str, str]:
    from apps.databases.services.secrets import open_password

    return {"user": database.login("a"), "password": open_password(database)}


def test_name_is_taken_once(db: None) -> None:
    add(suite_dsn())
    with pytest.raises(UnfitServer) as refused:
        add(suite_dsn(), name=" second ")
    assert faults(refused.value) == {("/name", "taken")}


def test_embedded_server_is_registered_once_and_only_when_wanted(db: None, settings: Any) -> None:
    assert register_embedded_server(now=timezone.now()) is None
    settings.DATABASE_SERVER_EMBEDDED = True
    server = register_embedded_server(now=timezone.now())
    assert server is not None
    with open_server(server) as connection:
        connection.execute("SELECT 1")
    assert register_embedded_server(now=timezone.now()) is None


def test_command_adds_a_server_and_names_what_is_wrong(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_SERVER_DSN", suite_dsn())
    call_command("add_database_server", name="third", host="db", weight=300)
    assert DatabaseServer.objects.get().weight == 300
    with pytest.raises(CommandError, match="name: There is a server of this name already"):
        call_command("add_database_server", name="third", host="db")


def test_least_loaded_for_its_weight_is_chosen(db: None) -> None:
    small, large = add_suite_server(name="small", weight=100), add_suite_server(name="large", weight=300)

    def fill(server: DatabaseServer, *sizes: int) -> None:
        for size in sizes:
            WorkspaceDatabase.objects.create(
                server=server, workspace=make_row(), name=uuid4().hex, status=DatabaseStatus.READY, size_bytes=size
            )

    def chosen(**fields: Any) -> DatabaseServer | None:
        DatabaseServer.objects.filter(name="large").update(**fields)
        return WeightedLeastLoad().choose(server_loads(DatabaseServer.objects.taking_databases()))

    fill(small, 0)
    fill(large, 0, 0)
    assert chosen() == large  # 2/300 < 1/100
    fill(large, 2 * 1024**3)
    assert chosen() == small  # 5/300 > 1/100
    DatabaseServer.objects.filter(name="small").update(error="It doesn't answer.")
    assert chosen() == large
    assert chosen(capacity_databases=3) == small  # it may be back
    assert chosen(capacity_databases=None, capacity_bytes=1024**3) == small
    DatabaseServer.objects.filter(name="small").update(capacity_databases=1)
    assert chosen() is None


def make_row() -> Any:
    from apps.accounts.tests.factories import UserFactory
    from apps.workspaces.models import Workspace

    return Workspace.objects.filter(owner=UserFactory()).first()


def test_no_server_and_no_plan_are_told_before_anything_is_made(workspace: Any, database_server: Any) -> None:
    drain_server(server_id=database_server.pk, actor=SYSTEM, now=timezone.now())
    with pytest.raises(NoServerAvailable):
        create_database(workspace=workspace, actor=SYSTEM, now=timezone.now())
    activate_server(server_id=database_server.pk, actor=SYSTEM, now=timezone.now())
    set_limit(workspace, "databases", 0)
    with pytest.raises(QuotaExceeded):
        create_database(workspace=workspace, actor=SYSTEM, now=timezone.now())
    assert not WorkspaceDatabase.objects.exists()
    assert not Operation.objects.filter(kind="databases.provision").exists()


def test_second_database_is_refused(make_database: Any) -> None:
    database = make_database()
    with pytest.raises(DatabaseExists):
        create_database(workspace=database.workspace, actor=SYSTEM, now=timezone.now())


def test_offline_server_is_left_alone(database_server: Any) -> None:
    take_server_offline(server_id=database_server.pk, actor=SYSTEM, now=timezone.now())
    database_server.refresh_from_db()
    with pytest.raises(ServerUnavailable):
        open_server(database_server)
    with pytest.raises(ServerUnavailable):
        libpq_environment(database_server)
    assert check_servers(now=timezone.now()) == 0
    with pytest.raises(IllegalTransition):
        take_server_offline(server_id=database_server.pk, actor=SYSTEM, now=timezone.now())


def test_look_closes_new_databases_and_writes_down_how_the_server_is(database_server: Any) -> None:
    name = f"open_{uuid4().hex}"
    with open_server(database_server) as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        try:
            assert check_server(database_server, now=timezone.now())
            query = (
                "SELECT has_database_privilege('public', %s, 'CONNECT'), has_database_privilege('public', %s, 'TEMP')"
            )
            assert server.execute(query, [name, name]).fetchone() == (False, False)
        finally:
            server.execute(f'DROP DATABASE "{name}"')
    database_server.refresh_from_db()
    assert database_server.used_bytes > 0
    assert database_server.checked_at
    assert database_server.error == ""


def test_server_that_is_down_is_noted_and_the_others_are_seen(database_server: Any) -> None:
    down = add_suite_server(name="down", admin_dsn=NOBODY)
    assert check_servers(now=timezone.now()) == 1
    down.refresh_from_db()
    assert "doesn't answer" in down.error


def test_login_that_is_open_against_the_rows_is_closed(make_database: Any) -> None:
    database = make_database()
    check_server(database.server, now=timezone.now())
    assert not Operation.objects.filter(kind="databases.admit").exists()
    suspend_workspace(workspace_id=database.workspace_id, reason="x", actor=SYSTEM, now=timezone.now())
    Operation.objects.all().delete()  # as if it had failed
    check_server(database.server, now=timezone.now())
    assert Operation.objects.filter(kind="databases.admit", target_id=str(database.pk)).exists()


def test_change_is_kept(database_server: Any) -> None:
    terms = ServerTerms(host="other", port=6432, weight=7, capacity_bytes=5, capacity_databases=6)
    changed = change_server(server_id=database_server.pk, terms=terms, actor=SYSTEM, now=timezone.now())
    changed.refresh_from_db()
    assert (
        ServerTerms(changed.host, changed.port, changed.weight, changed.capacity_bytes, changed.capacity_databases)
        == terms
    )


def test_programs_get_none_of_the_platforms_secrets(database_server: Any, monkeypatch: Any) -> None:
    for name in ("SECRETS_KEYS", "SECRET_KEY", "DATABASE_URL", "PGOPTIONS"):
        monkeypatch.setenv(name, "not-for-you")
    environment = child_environment(database_server, database="postgres")
    assert "not-for-you" not in environment.values()
    assert environment["PATH"]


def test_environment_reaches_the_server_without_arguments(database_server: Any) -> None:
    environment = libpq_environment(database_server, user="somebody", password="p w")
    assert environment["PGUSER"] == "somebody"
    assert environment["PGPASSWORD"] == "p w"
    assert environment["PGDATABASE"] == "postgres"
    assert psycopg.conninfo.conninfo_to_dict(suite_dsn())["host"] == environment["PGHOST"]


def test_program_must_be_as_new_as_the_server(database_server: Any) -> None:
    program = require_program("pg_dump", server=database_server)
    assert program.major >= database_server.major
    database_server.version = 990000
    with pytest.raises(ProgramMissing, match="pg_dump of PostgreSQL 99"):
        require_program("pg_dump", server=database_server)
