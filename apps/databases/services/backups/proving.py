"""Proving a backup: restored into a scratch database that nobody can enter, and compared: `databases.prove`.

The scratch database is on the server of the live one, where the role is that owns the tables. It is dropped by the last
step, by the next attempt, or by the sweep: whoever comes first after a death.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import structlog
from django.conf import settings
from django.db import transaction

from apps.common.errors import Unavailable
from apps.databases.clients.loaders import drop_loaders, loader_login
from apps.databases.clients.pg_restore import load_dump
from apps.databases.clients.restore_target import create_closed_database, drop_database, names_beginning_with
from apps.databases.clients.row_hashes import TableRows, differences, hash_rows, pin_tables, totals
from apps.databases.errors import BackupBroken, DatabaseNotReady, DumpNotRestorable, ServerUnavailable, VersionsDontFit
from apps.databases.models import Backup, DatabaseServer, WorkspaceDatabase
from apps.databases.services.backups.files import fetch_dump, require_usable
from apps.databases.services.establishing import loader_terms
from apps.databases.services.servers import libpq_environment, open_server, require_program
from apps.databases.states import USABLE, BackupStatus, DatabaseStatus
from apps.events.services import emit_event
from apps.operations.selectors.pending import pending_of_kind
from apps.operations.services.kinds import StepContext

log = structlog.get_logger(__name__)

#: What pg_restore says when it is the server that failed, not the dump.
_PASSING = re.compile(
    r"could not connect|connection to server|server closed the connection|terminating connection|connection not open"
    r"|shutting down|starting up|No space left|out of memory|too many (clients|connections)|could not (write|extend)"
)
_SCRATCH = re.compile(r"^wd_([0-9a-f]{32})_p([0-9a-f]{12})_\d+$")


def check_step(context: StepContext) -> dict[str, Any]:
    backup = _backup(context)
    require_usable(backup)
    if backup.database.status != DatabaseStatus.READY:
        raise DatabaseNotReady(f"The workspace's database is {backup.database.status}; a proof needs its roles.")
    require_fitting_versions(backup, backup.database.server)
    return {}


def load_step(context: StepContext) -> dict[str, Any]:
    """Fetch, check, and load into the scratch database of this attempt."""
    backup = _backup(context)
    path = Path(settings.BACKUP_SCRATCH_FOLDER) / f"{context.operation_id}.dump"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        fetch_dump(backup, path, watch=context.require_lease)
        return _load(context, backup, path)
    except (BackupBroken, DumpNotRestorable) as error:
        if isinstance(error, DumpNotRestorable) and _PASSING.search(error.detail):
            raise ServerUnavailable(error.detail) from error
        return {"reason": error.detail}
    finally:
        path.unlink(missing_ok=True)


def compare_step(context: StepContext) -> dict[str, Any]:
    loaded: dict[str, Any] = context.results["load"]
    if "reason" in loaded:
        return loaded
    backup = _backup(context)
    found = read_tables(backup.database.server, loaded["name"], context)
    said = differences((backup.manifest or {})["tables"], found)
    return {"reason": _joined(said)} if said else {**totals(found), "compared_at": context.clock().isoformat()}


def clear_step(context: StepContext) -> dict[str, Any]:
    """Drop the scratch database."""
    database = _backup(context).database
    context.require_lease()
    with open_server(database.server) as server:
        drop_scratch(server, database, _stem(database, context.operation_id))
    return {}


def record_step(context: StepContext) -> dict[str, Any]:
    """Write down what was found; once: a proof is told by the moment at which it was compared."""
    found = context.results["compare"]
    usable = "reason" not in found
    compared_at = datetime.fromisoformat(found["compared_at"]) if usable else None
    now = context.clock()
    with transaction.atomic():
        row = Backup.objects.select_for_update().get(pk=context.target)
        if row.status in USABLE and (not usable or row.proved_at != compared_at):
            if not usable:
                row.move_to(BackupStatus.UNUSABLE, error=found["reason"][:300])
            elif row.status == BackupStatus.STORED:
                row.move_to(BackupStatus.PROVED, proved_at=compared_at)
            else:
                row.proved_at = compared_at
                row.save(update_fields=["proved_at", "updated_at"])
            emit_event(
                type="backup.proved" if usable else "backup.unusable",
                workspace_id=row.workspace_id,
                data={"backup": str(row.pk)} | ({} if usable else {"reason": row.error}),
                now=now,
            )
    return {"backup": str(row.pk), "status": row.status, **found}


def compare_with_manifest(context: StepContext, backup: Backup, server: DatabaseServer, name: str) -> dict[str, Any]:
    """Compare the database ``name`` with the manifest: ``{tables, rows}``. Raises BackupBroken, naming the tables that
    differ."""
    found = read_tables(server, name, context)
    if said := differences((backup.manifest or {})["tables"], found):
        raise BackupBroken(f"What was restored isn't what was backed up. {_joined(said)}"[:300])
    return totals(found)


def read_tables(server: DatabaseServer, name: str, context: StepContext) -> list[TableRows]:
    with open_server(server, database=name) as connection, pin_tables(connection) as pinned:
        return hash_rows(connection, pinned, watch=context.require_lease)


def dump_major(backup: Backup | None) -> int:
    """The major version of the pg_dump that made it; pg_restore must be as new."""
    return int(((backup.manifest if backup else None) or {}).get("pg_dump", 0))


def restored_size(backup: Backup) -> int:
    """How large the database was on disk when it was backed up, bytes: what a restore needs at most."""
    return int((backup.manifest or {}).get("database_bytes", 0)) or backup.size_bytes


def require_fitting_versions(backup: Backup, server: DatabaseServer) -> None:
    """Raise VersionsDontFit when the server is older than the one that was backed up, ProgramMissing when there is no
    pg_restore that is new enough."""
    made_on = int((backup.manifest or {}).get("server_version", 0)) // 10_000
    if made_on > server.major:
        raise VersionsDontFit(f"The backup is of PostgreSQL {made_on}; the server has {server.major}, which is older.")
    require_program("pg_restore", server=server, at_least=max(dump_major(backup), server.major))


def drop_scratch(server: psycopg.Connection[Any], database: WorkspaceDatabase, stem: str) -> None:
    """Drop the scratch databases of ``database`` whose names begin so, and the logins that filled them."""
    for name in names_beginning_with(server, stem):
        drop_database(server, name)
    drop_loaders(server, stem=stem, terms=loader_terms(database))


def sweep_scratch_databases() -> int:
    """Drop scratch databases whose proof has ended without doing so; returns how many."""
    dropped = 0
    for row in DatabaseServer.objects.reachable():
        try:
            with open_server(row) as server:
                names = [name for name in names_beginning_with(server, "wd_") if _SCRATCH.match(name)]
                for name, database in _orphans(names):
                    drop_scratch(server, database, name)
                    dropped += 1
        except (Unavailable, psycopg.Error) as error:
            log.warning("scratch_databases_not_swept", server=row.name, error=str(error))
    return dropped


def _orphans(names: list[str]) -> list[tuple[str, WorkspaceDatabase]]:
    """Those whose operation isn't pending, each with the database whose backup was proved. Another platform's on the
    same server are left alone."""
    pending = {_tail(operation) for operation in pending_of_kind("databases.prove")}
    found = []
    for name in names:
        match = _SCRATCH.match(name)
        assert match is not None
        database = WorkspaceDatabase.objects.select_related("server").filter(pk=UUID(match[1])).first()
        if database is not None and match[2] not in pending:
            found.append((name, database))
    return found


def _load(context: StepContext, backup: Backup, path: Path) -> dict[str, Any]:
    database, owner = backup.database, backup.database.ddl_role
    stem = _stem(database, context.operation_id)
    name = f"{stem}{context.attempt}"
    jobs = settings.DATABASE_RESTORE_JOBS
    with open_server(database.server) as server:
        context.require_lease()
        drop_scratch(server, database, stem)
        create_closed_database(server, name=name, like=database.name, enter=loader_terms(database).enter)
        with loader_login(server, name=name, database=name, jobs=jobs, terms=loader_terms(database)) as password:
            load_dump(
                program=require_program(
                    "pg_restore", server=database.server, at_least=max(dump_major(backup), database.server.major)
                ).path,
                dump=path,
                environment=libpq_environment(database.server, database=name, user=name, password=password),
                database=name,
                role=owner,
                jobs=jobs,
                limit=settings.DATABASE_LOAD_LIMIT,
                watch=lambda _tables: context.require_lease(),
            )
    return {"name": name}


def _stem(database: WorkspaceDatabase, operation_id: UUID) -> str:
    return f"{database.prefix}_p{_tail(operation_id)}_"


def _tail(operation_id: UUID) -> str:
    # The last 48 bits of a UUIDv7 are random (RFC 9562, section 5.7).
    return operation_id.hex[-12:]


def _joined(said: list[str]) -> str:
    more = f" And {len(said) - 3} more." if len(said) > 3 else ""
    return " ".join(said[:3]) + more


def _backup(context: StepContext) -> Backup:
    backup: Backup = Backup.objects.select_related("database__server", "database__workspace").get(pk=context.target)
    return backup
