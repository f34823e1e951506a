"""Asking for migrations of a workspace's database: what can be refused is refused before anything runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor
from apps.common.errors import FieldError, InvalidInput
from apps.common.ids import new_id
from apps.databases.errors import MigrationChanged, MigrationOutOfOrder
from apps.databases.models import MigrationRequest, SchemaMigration
from apps.databases.selectors.databases import ready_database
from apps.databases.services.servers import require_program
from apps.databases.services.space import reserve_space
from apps.databases.services.sql_text import split_statements
from apps.operations.services.requests import request_operation

KIND = "databases.migrate"
#: What would end the migration's own transaction, or make a second one of it.
_TRANSACTION_CONTROL = frozenset(
    {"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release", "prepare transaction"}
)


def request_migrations(
    *,
    workspace: Any,
    migrations: Sequence[Mapping[str, Any]],
    dry_run: bool = False,
    backup: bool = True,
    actor: Actor,
    now: datetime,
) -> MigrationRequest:
    """Write down migrations (``{version, name, sql}``, versions ascending) and ask for the operation that applies them.

    With ``backup`` the operation first backs up what they could destroy. Raises InvalidInput that points at what can't
    be run, MigrationChanged for a version that was applied with another text, MigrationOutOfOrder for a new one below
    what is applied, ProgramMissing (no pg_dump as new as the server), QuotaExceeded, DatabaseNotFound,
    DatabaseNotReady.
    """
    scripts = _checked(migrations)
    database = ready_database(workspace.id)
    applied = dict(SchemaMigration.objects.filter(database=database).values_list("version", "checksum"))
    if require_order(scripts, applied) and applied and backup and not dry_run:
        require_program("pg_dump", server=database.server)
    with transaction.atomic():
        request = MigrationRequest.objects.create(
            pk=new_id(), database=database, scripts=scripts, dry_run=dry_run, backup=backup
        )
        operation = request_operation(
            kind=KIND,
            target_id=database.pk,
            workspace_id=workspace.id,
            params={"request": str(request.pk)},
            actor=actor,
            now=now,
        )
        reserve_space(
            database=database, operation_id=operation.pk, size_bytes=settings.DATABASE_MIGRATION_RESERVE, now=now
        )
        request.operation_id = operation.pk
        request.save(update_fields=["operation_id", "updated_at"])
        record_act_in(
            workspace,
            actor=actor,
            action="database.migrate",
            target=Target(kind="database", id=str(database.pk), name=database.name),
            now=now,
            changes={
                "versions": [None, [script["version"] for script in scripts]],
                "dry_run": [None, dry_run],
                "backup": [None, backup],
                "operation": [None, str(operation.pk)],
            },
        )
    return request


def require_order(scripts: Sequence[Mapping[str, Any]], applied: Mapping[int, str]) -> list[Mapping[str, Any]]:
    """Those of the scripts that are still to be applied. Raises MigrationChanged, MigrationOutOfOrder."""
    latest = max(applied, default=0)
    to_apply = []
    for script in scripts:
        version = script["version"]
        if version in applied:
            if applied[version] != script["checksum"]:
                raise MigrationChanged(
                    f"Migration {version} was applied with another text. Leave it as it was; add a new one.",
                    version=version,
                )
        elif version < latest:
            raise MigrationOutOfOrder(
                f"Migration {version} comes before {latest}, which is applied already. Give it a higher version.",
                version=version,
            )
        else:
            to_apply.append(script)
    return to_apply


def _checked(migrations: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    errors: list[FieldError] = []
    if len(migrations) > settings.DATABASE_MIGRATIONS_AT_ONCE:
        detail = f"At most {settings.DATABASE_MIGRATIONS_AT_ONCE} migrations at once."
        raise InvalidInput.at("/migrations", "too_many", detail)
    scripts = []
    last = 0
    for index, migration in enumerate(migrations):
        at = f"/migrations/{index}"
        version, text = migration["version"], migration["sql"]
        if version <= last:
            errors.append(FieldError(f"{at}/version", "not_ascending", f"This must be greater than {last}."))
        last = max(last, version)
        errors += _errors_in(text, f"{at}/sql")
        scripts.append(
            {
                "version": version,
                "name": migration["name"],
                "sql": text,
                "checksum": hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
            }
        )
    if errors:
        raise InvalidInput(errors=errors)
    return scripts


def _errors_in(text: str, at: str) -> list[FieldError]:
    size = len(text.encode("utf-8", "replace"))
    if size > settings.DATABASE_MIGRATION_BYTES:
        return [FieldError(at, "too_long", f"At most {settings.DATABASE_MIGRATION_BYTES} bytes; this has {size}.")]
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        return [FieldError(at, "invalid_text", "SQL can't hold NUL or half a surrogate pair.")]
    statements = split_statements(text)
    if not statements:
        return [FieldError(at, "blank", "This has no statement.")]
    return [
        FieldError(
            at,
            "transaction_control",
            f"Line {statement.line}: a migration is one transaction; {statement.words[0].upper()} can't stand in it.",
        )
        for statement in statements
        if not _TRANSACTION_CONTROL.isdisjoint((*statement.words[:1], " ".join(statement.words[:2])))
    ]
