"""Filling a schema from an archive, and proving that it holds what the archive says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DataError, IntegrityError, connection

from apps.archives.errors import ArchiveBroken, ArchiveForeign, ArchiveRefused
from apps.archives.services.containers import Source
from apps.archives.services.reading import CheckedArchive, tables_of
from apps.common.row_copies import analyze, copy_in, copy_out, implausible_column, loading
from apps.common.schema_migration import Upgrade, migrate_in_earnest, plan_upgrade, present_release
from apps.common.schema_shapes import create_schema_at


def load_archive(
    archive: CheckedArchive,
    schema_name: str,
    *,
    read: Callable[[Callable[[Source], None]], None],
    between: Callable[[], None] = lambda: None,
) -> str:
    """Make the schema in the shape that the archive has, load its rows, prove them, and bring it to this release.

    In the caller's transaction; returns the fingerprint that it stands at then. ``read`` calls back with the archive's
    bytes; ``between`` is called before each part, to stop a worker that is too late. Raises ArchiveBroken for rows that
    the tables refuse or that read differently once they are loaded, ArchiveRefused for values that none can have.
    """
    create_schema_at(schema_name, archive.manifest.migrations)
    with _refusals_explained(), loading():
        read(lambda source: _load(source, archive, schema_name, between))
        _prove(archive, schema_name)
    analyze(schema_name, [table.name for table in archive.shape.tables])
    upgrade = require_upgrade(archive)
    if upgrade.migrations:
        migrate_in_earnest(upgrade, schema_name)
    return upgrade.target


def require_upgrade(archive: CheckedArchive) -> Upgrade:
    """The way from the archive's release to this one. Raises ArchiveForeign when it isn't one transaction."""
    upgrade = plan_upgrade(present_release(), archive.manifest.migrations)
    if not upgrade.is_atomic:
        raise ArchiveForeign("The archive is of a release that can't be brought to this one in one transaction.")
    return upgrade


def _load(source: Source, archive: CheckedArchive, schema_name: str, between: Callable[[], None]) -> None:
    def watched(parts: Iterator[bytes]) -> Iterator[bytes]:
        for part in parts:
            between()
            yield part

    for table, parts in tables_of(source, archive):
        copy_in(schema_name, table, watched(parts))


def _prove(archive: CheckedArchive, schema_name: str) -> None:
    with connection.cursor() as cursor:
        # Foreign keys that lead nowhere are found now, not at the commit.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    said = {table.name: (table.rows, table.sha256) for table in archive.manifest.tables}
    for table in archive.shape.tables:
        digest, rows = hashlib.sha256(), 0
        for piece in copy_out(schema_name, table, instead={}):
            digest.update(piece)
            rows += piece.count(b"\n")
        if (rows, digest.hexdigest()) != said[table.name]:
            raise ArchiveBroken(f"The table {table.name} reads differently once it is loaded.")
        column = implausible_column(schema_name, table)
        if column is not None:
            raise ArchiveRefused(f"A row of {table.name} has a {column} that none can have.")


@contextmanager
def _refusals_explained() -> Iterator[Any]:
    try:
        yield
    except (IntegrityError, DataError) as error:
        diagnosis = getattr(error.__cause__, "diag", None)
        where = getattr(diagnosis, "table_name", None) or "a table"
        why = getattr(diagnosis, "constraint_name", None) or getattr(diagnosis, "message_primary", None) or ""
        raise ArchiveBroken(f"Rows of {where} contradict its rules: {why}"[:300]) from error
