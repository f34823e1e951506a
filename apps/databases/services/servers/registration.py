"""Adding servers, and what operators do to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import transaction
from psycopg import conninfo

from apps.audit.services import Target, record_act
from apps.common.actors import SYSTEM, Actor
from apps.common.errors import FieldError
from apps.common.ids import new_id
from apps.databases.clients.closing import close_databases
from apps.databases.clients.inspection import ServerReport, inspect_server
from apps.databases.clients.postgres import open_connection
from apps.databases.clients.releases import server_fault
from apps.databases.errors import LoginRefused, ServerUnavailable, UnfitServer
from apps.databases.models import DatabaseServer
from apps.databases.services.servers.connections import MAINTENANCE, OLDEST_MAJOR, admin_dsn, seal_dsn
from apps.databases.services.servers.watching import check_server
from apps.databases.states import ServerStatus

#: The name of the platform's own cluster among the servers.
EMBEDDED = "embedded"
_CHANGEABLE = ("host", "port", "weight", "capacity_bytes", "capacity_databases")


@dataclass(frozen=True, slots=True)
class ServerTerms:
    """Where workspaces' clients reach a server, and how much of the databases it takes."""

    host: str
    port: int = 5432
    weight: int = 100
    capacity_bytes: int | None = None
    capacity_databases: int | None = None


def add_server(*, name: str, dsn: str, terms: ServerTerms, actor: Actor, now: datetime) -> DatabaseServer:
    """Take a server into use, once it was reached by ``dsn`` (a superuser's) and is fit; its databases are closed to
    PUBLIC.

    Raises UnfitServer, with an error for each field that is at fault.
    """
    name = name.strip()
    if DatabaseServer.objects.filter(name=name).exists():
        raise UnfitServer(errors=[FieldError("/name", "taken", "There is a server of this name already.")])
    report = _try(dsn)
    server = DatabaseServer(
        id=new_id(),
        name=name,
        version=report.version,
        used_bytes=report.size_bytes,
        checked_at=now,
        **{field: getattr(terms, field) for field in _CHANGEABLE},
    )
    server.admin_dsn = seal_dsn(server.pk, dsn)
    with transaction.atomic():
        server.save(force_insert=True)
        _audit(server, "add", actor=actor, now=now, changes={"host": [None, server.host], "port": [None, server.port]})
    return server


def change_server(*, server_id: UUID, terms: ServerTerms, actor: Actor, now: datetime) -> DatabaseServer:
    """Change where clients reach it, its weight and its capacity; what is on it stays."""
    with transaction.atomic():
        server = DatabaseServer.objects.select_for_update().get(pk=server_id)
        changes: dict[str, Any] = {}
        for field in _CHANGEABLE:
            before, after = getattr(server, field), getattr(terms, field)
            if before != after:
                changes[field] = [before, after]
                setattr(server, field, after)
        server.save(update_fields=[*changes, "updated_at"])
        _audit(server, "change", actor=actor, now=now, changes=changes)
    return server


def change_dsn(*, server_id: UUID, dsn: str, actor: Actor, now: datetime) -> DatabaseServer:
    """Reach a server in another way from now on, when that is fit. Raises UnfitServer."""
    report = _try(dsn)
    with transaction.atomic():
        server = DatabaseServer.objects.select_for_update().get(pk=server_id)
        server.admin_dsn, server.version = seal_dsn(server.pk, dsn), report.version
        server.checked_at, server.error = now, ""
        server.save(update_fields=["admin_dsn", "version", "checked_at", "error", "updated_at"])
        _audit(server, "change_dsn", actor=actor, now=now)
    return server


def drain_server(*, server_id: UUID, actor: Actor, now: datetime) -> DatabaseServer:
    """Place no new databases on it; those that it has go on. Raises IllegalTransition."""
    return _move(server_id, ServerStatus.DRAINING, "drain", actor=actor, now=now)


def take_server_offline(*, server_id: UUID, actor: Actor, now: datetime) -> DatabaseServer:
    """Have the platform leave it alone: nothing on it is backed up, rotated or measured. Raises IllegalTransition."""
    return _move(server_id, ServerStatus.OFFLINE, "take_offline", actor=actor, now=now)


def activate_server(*, server_id: UUID, actor: Actor, now: datetime) -> DatabaseServer:
    """Place databases on it again, when it is fit. Raises IllegalTransition, UnfitServer."""
    _try(admin_dsn(DatabaseServer.objects.get(pk=server_id)))
    server = _move(server_id, ServerStatus.ACTIVE, "activate", actor=actor, now=now)
    check_server(server, now=now)
    server.refresh_from_db()
    return server


def register_embedded_server(*, now: datetime) -> DatabaseServer | None:
    """Make the platform's own cluster the first server, when there is none, the setting wants it and the platform is a
    superuser there; None when it isn't registered now."""
    if not settings.DATABASE_SERVER_EMBEDDED or DatabaseServer.objects.exists():
        return None
    options = settings.DATABASES["default"]
    host, port = str(options.get("HOST") or ""), int(options.get("PORT") or 5432)
    dsn = conninfo.make_conninfo(
        host=host or None,
        port=port,
        user=options["USER"],
        password=options.get("PASSWORD") or None,
        dbname=MAINTENANCE,
        **{name: value for name, value in options.get("OPTIONS", {}).items() if name.startswith("ssl")},
    )
    shown_host = settings.DATABASE_SERVER_HOST or (host if host and not host.startswith("/") else "127.0.0.1")
    terms = ServerTerms(host=shown_host, port=settings.DATABASE_SERVER_PORT or port)
    try:
        return add_server(name=EMBEDDED, dsn=dsn, terms=terms, actor=SYSTEM, now=now)
    except UnfitServer:
        return None


def _try(dsn: str) -> ServerReport:
    """Reach the server, see that it is fit, and close its databases. Raises UnfitServer."""
    try:
        conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as error:
        detail = "This is not a connection string: postgresql://user:password@host:port/postgres"
        raise UnfitServer(errors=[FieldError("/dsn", "not_a_dsn", detail)]) from error
    try:
        with open_connection(
            dsn,
            dbname=MAINTENANCE,
            connect_timeout=settings.DATABASE_SERVER_CONNECT_TIMEOUT,
            statement_timeout=settings.DATABASE_ADMIN_TIMEOUT,
        ) as connection:
            report = inspect_server(connection)
            _require_fit(report)
            close_databases(connection)
    except (ServerUnavailable, LoginRefused) as error:
        raise UnfitServer(errors=[FieldError("/dsn", error.code, error.detail)]) from error
    except psycopg.Error as error:
        raise UnfitServer(errors=[FieldError("/dsn", "server_fails", str(error)[:300])]) from error
    return report


def _require_fit(report: ServerReport) -> None:
    faults = []
    if report.version < OLDEST_MAJOR * 10_000:
        detail = f"Its PostgreSQL is {report.version // 10_000}; {OLDEST_MAJOR} or newer is needed."
        faults.append(FieldError("/dsn", "too_old", detail))
    elif fault := server_fault(report.version):
        faults.append(FieldError("/dsn", "unsafe", fault))
    if not report.is_superuser:
        detail = "This login is no superuser there; the platform fences and closes databases as one."
        faults.append(FieldError("/dsn", "no_superuser", detail))
    if not report.is_primary:
        faults.append(FieldError("/dsn", "read_only", "This server is a standby; name the primary."))
    if faults:
        raise UnfitServer(errors=faults)


def _move(server_id: UUID, status: ServerStatus, act: str, *, actor: Actor, now: datetime) -> DatabaseServer:
    with transaction.atomic():
        server = DatabaseServer.objects.select_for_update().get(pk=server_id)
        before = server.status
        server.move_to(status)
        _audit(server, act, actor=actor, now=now, changes={"status": [before, str(status)]})
    return server


def _audit(
    server: DatabaseServer, act: str, *, actor: Actor, now: datetime, changes: dict[str, Any] | None = None
) -> None:
    record_act(
        actor=actor,
        action=f"database_server.{act}",
        target=Target(kind="database_server", id=str(server.pk), name=server.name),
        now=now,
        changes=changes,
    )
