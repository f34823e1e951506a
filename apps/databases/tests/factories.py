"""Real servers and databases for tests: what a test makes on the suite's cluster is dropped at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
from django.conf import settings
from django.db import transaction
from django.db.models.signals import post_save
from django.utils import timezone
from psycopg import conninfo, sql

from apps.billing.tests.factories import set_limit
from apps.common.actors import SYSTEM
from apps.common.ids import new_id
from apps.databases.models import DatabaseServer, WorkspaceDatabase
from apps.databases.services.provisioning import create_database
from apps.databases.services.secrets import open_password
from apps.databases.services.servers.connections import seal_dsn
from apps.operations.models import Operation
from apps.operations.services.contexts import context_of
from apps.operations.services.kinds import require_kind


def suite_dsn(**parameters: Any) -> str:
    """The DSN of the suite's cluster, as its superuser."""
    options = settings.DATABASES["default"]
    told = {
        "host": options.get("HOST") or None,
        "port": options.get("PORT") or None,
        "user": options["USER"],
        "password": options.get("PASSWORD") or None,
        "dbname": "postgres",
    }
    return conninfo.make_conninfo(**{**told, **parameters})


def add_suite_server(*, name: str = "", **fields: Any) -> DatabaseServer:
    """A server row for the suite's cluster."""
    options = settings.DATABASES["default"]
    address = {"host": str(options.get("HOST") or "127.0.0.1"), "port": int(options.get("PORT") or 5432)}
    server = DatabaseServer(id=new_id(), **{"version": _version(), **address, **fields})
    server.name = name or f"suite-{server.pk.hex[-8:]}"
    server.admin_dsn = seal_dsn(server.pk, fields.get("admin_dsn") or suite_dsn())
    server.save(force_insert=True)
    return server


def provision(workspace: Any, **fields: Any) -> WorkspaceDatabase:
    """A ready database of the workspace, really made by the steps of its operation, in this process.

    With ``limit_bytes`` that is its limit afterwards.
    """
    operation = run_at_once(lambda: create_database(workspace=workspace, actor=SYSTEM, now=timezone.now()))
    Operation.objects.filter(pk=operation.pk).delete()
    WorkspaceDatabase.objects.filter(pk=operation.target_id).update(**fields)
    if "limit_bytes" in fields:
        set_limit(workspace, "database.bytes", fields["limit_bytes"])
    database: WorkspaceDatabase = WorkspaceDatabase.objects.select_related("server", "workspace").get(
        pk=operation.target_id
    )
    return database


def run_at_once(ask: Callable[[], Operation]) -> Operation:
    """Run the steps of the operation that ``ask`` asks for in this process, whether a real worker is about or not."""
    with transaction.atomic():
        operation = ask()
        Operation.objects.filter(pk=operation.pk).update(next_attempt_at=timezone.now() + timedelta(hours=1))
    run_steps(operation)
    return operation


def run_steps(operation: Operation, *, until: str | None = None) -> None:
    """Run the steps of an operation that aren't done, without the engine; up to and with the step ``until``."""
    steps = require_kind(operation.kind).steps()
    for record in operation.steps:
        if not record["done_at"]:
            result = steps[record["name"]].run(context_of(operation, clock=timezone.now))
            record.update(done_at=timezone.now().isoformat(), result=result)
        if record["name"] == until:
            return


def forget_step(operation: Operation, name: str) -> None:
    """As if the worker had died behind the step's effect, before it was recorded."""
    for record in operation.steps:
        if record["name"] == name:
            record.update(done_at=None, result=None)


def connect_as_login(database: WorkspaceDatabase, **parameters: Any) -> psycopg.Connection[Any]:
    """The workspace's published login in its own database, as its clients come in; in autocommit mode."""
    told = {
        "host": database.server.host,
        "port": database.server.port,
        "dbname": database.name,
        "user": database.login(database.active_login),
        "password": open_password(database),
        **parameters,
    }
    return psycopg.connect(suite_dsn(**told), autocommit=True)


@contextmanager
def dropping_databases() -> Iterator[None]:
    """Whatever is made on the cluster for rows that are saved in the block is dropped at its end."""
    stems: set[str] = set()

    def note(sender: type, instance: WorkspaceDatabase, **kwargs: Any) -> None:
        stems.add(instance.prefix)

    post_save.connect(note, sender=WorkspaceDatabase, weak=False)
    try:
        yield
    finally:
        post_save.disconnect(note, sender=WorkspaceDatabase)
        if stems:
            drop_all(stems)


def drop_all(stems: set[str]) -> None:
    """Drop the databases and roles whose names begin with one of these."""
    with psycopg.connect(suite_dsn(), autocommit=True) as server:
        for kind, query in (
            ("DATABASE", "SELECT datname FROM pg_database WHERE starts_with(datname::text, %s)"),
            ("ROLE", "SELECT rolname FROM pg_roles WHERE starts_with(rolname::text, %s)"),
        ):
            force = sql.SQL(" WITH (FORCE)" if kind == "DATABASE" else "")
            for stem in stems:
                for (name,) in server.execute(query, [stem]).fetchall():
                    server.execute(sql.SQL("DROP " + kind + " IF EXISTS {}{}").format(sql.Identifier(name), force))


def _version() -> int:
    with psycopg.connect(suite_dsn()) as connection:
        return connection.info.server_version
