"""From a backup to a database beside the live one, compared with the backup's manifest. The live one isn't touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from psycopg import sql

from apps.databases.clients.loaders import drop_loaders, loader_login
from apps.databases.clients.pg_restore import load_dump
from apps.databases.clients.restore_target import create_closed_database, drop_database, names_beginning_with
from apps.databases.clients.swap import database_exists, end_sessions
from apps.databases.errors import NoRoomForDump
from apps.databases.models import Restore
from apps.databases.services.establishing import loader_terms
from apps.databases.services.restores.names import fresh_name, fresh_stem, loader_name, loader_stem
from apps.databases.services.restores.sources import dump_major, fetch_dump
from apps.databases.services.servers import libpq_environment, open_server, require_program
from apps.operations.services.kinds import StepContext

#: Indexes are sorted in memory, and a commit doesn't wait for the disk: what a crash of the server loses here is a
#: database that nobody has seen, and the commit of the swap waits for all that was written before it.
_OPTIONS = f"-c maintenance_work_mem={settings.DATABASE_RESTORE_MEMORY // 1024}kB -c synchronous_commit=off"


def dump_path(operation_id: UUID) -> Path:
    """The temporary file of a restore, on the machine of its worker."""
    return Path(settings.DATABASE_RESTORE_FOLDER) / f"{operation_id}.dump"


def fetch(context: StepContext, restore: Restore) -> dict[str, Any]:
    """Bring the dump here, decrypted, every byte of it checked, into a file that only we can read."""
    assert restore.backup is not None
    path = dump_path(restore.operation_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        fetch_dump(restore.backup, path, watch=context.require_lease)
    except OSError as error:
        raise NoRoomForDump(f"The worker's disk can't take the dump: {error.strerror}.") from error
    return {"bytes": path.stat().st_size}


def create(context: StepContext, restore: Restore) -> dict[str, Any]:
    """Make the empty database that this attempt fills; what earlier attempts left is dropped."""
    database = restore.database
    name = fresh_name(database, restore.operation_id, context.attempt)
    context.require_lease()
    with open_server(database.server) as server:
        for left in names_beginning_with(server, fresh_stem(database, restore.operation_id)):
            drop_database(server, left)
        drop_loaders(server, stem=loader_stem(database, restore.operation_id), terms=loader_terms(database))
        create_closed_database(server, name=name, like=database.name, enter=loader_terms(database).enter)
    return {"name": name}


def load(context: StepContext, restore: Restore) -> dict[str, Any]:
    """Load the dump, in a database that nobody has written into."""
    database, operation_id = restore.database, restore.operation_id
    name = fresh_name(database, operation_id, context.attempt)
    if context.results["create"]["name"] != name:
        create(context, restore)
    path = dump_path(operation_id)
    if not path.exists():  # another worker's machine has fetched it
        fetch(context, restore)
    login = loader_name(database, operation_id, context.attempt)
    tables = max(1, restore.backup.tables if restore.backup else 1)
    told = 0

    def watch(begun: int) -> None:
        nonlocal told
        context.require_lease()
        if begun > told:
            told = begun
            context.report(30 + 20 * begun // tables, f"Loading table {min(begun, tables)} of {tables}.")

    with (
        open_server(database.server) as server,
        loader_login(
            server, name=login, database=name, jobs=settings.DATABASE_RESTORE_JOBS, terms=loader_terms(database)
        ) as password,
    ):
        load_dump(
            program=require_program("pg_restore", server=database.server, at_least=dump_major(restore.backup)).path,
            dump=path,
            environment={
                **libpq_environment(database.server, database=name, user=login, password=password),
                "PGOPTIONS": _OPTIONS,
            },
            database=name,
            role=database.ddl_role,
            jobs=settings.DATABASE_RESTORE_JOBS,
            limit=settings.DATABASE_LOAD_LIMIT,
            watch=watch,
        )
    path.unlink(missing_ok=True)
    return {"name": name}


def rename_once(server: psycopg.Connection[Any], name: str, new: str) -> None:
    """Rename a database that nobody is in; nothing when that was done before."""
    if database_exists(server, new):
        return
    end_sessions(server, [name], seconds=settings.DATABASE_FENCE_MAX.total_seconds())
    server.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(new)))
