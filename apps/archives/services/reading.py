"""Reading an archive: proved as a whole before a row of it is used."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from apps.archives.errors import ArchiveBroken, ArchiveForeign, ArchiveRefused, ArchiveTooLarge
from apps.archives.services.containers import Source, read_members
from apps.archives.services.manifests import MANIFEST, SETTINGS, Manifest, TableRecord, read_manifest
from apps.common.archiving import RowCheck, checks_of, left_out_of, why_empty
from apps.common.canonical_json import JsonTooLarge, MalformedJson, loads
from apps.common.row_copies import decode_row
from apps.common.schema_migration import UnknownMigrations
from apps.common.schema_shapes import SchemaShape, TableShape, shape_at


@dataclass(frozen=True, slots=True)
class CheckedArchive:
    """What an archive that holds says: its manifest, its settings (``workspace.json``), the shape of its schema."""

    manifest: Manifest
    described: dict[str, Any]
    shape: SchemaShape


@dataclass(slots=True)
class _Seen:
    """What has passed of one table."""

    rows: int = 0
    size: int = 0
    parts: int = 0
    digest: Any = field(default_factory=hashlib.sha256)


def check_archive(source: Source, *, report: Callable[[int], None] = lambda _rows: None) -> CheckedArchive:
    """Read the whole archive and prove it, without touching a database.

    The container is whole, the manifest stands last and is right about every byte, the schema's shape is one that this
    program knows, and every row is what the apps let into their tables. Raises ArchiveBroken, ArchiveForeign (another
    format, or a release that isn't known here), ArchiveTooLarge, ArchiveRefused (a row that no service would write).
    """
    seen: dict[str, _Seen] = {}
    documents: dict[str, bytes] = {}
    rows = 0
    for name, content in read_members(source, unpacked_max=settings.ARCHIVE_UNPACKED_MAX_BYTES):
        if MANIFEST in documents:
            raise ArchiveBroken("Something stands behind the manifest.")
        if name.endswith(".json"):
            if name in documents or name not in (MANIFEST, SETTINGS):
                raise ArchiveBroken(f"The document {name} is unknown, or stands there twice.")
            documents[name] = content
            continue
        rows += _take_part(seen, name, content)
        if rows > settings.ARCHIVE_MAX_ROWS:
            raise ArchiveTooLarge(f"The archive holds more than {settings.ARCHIVE_MAX_ROWS:,} rows.")
        report(rows)
    if MANIFEST not in documents or SETTINGS not in documents:
        raise ArchiveBroken("The archive has no manifest: it was never finished.")
    manifest = read_manifest(_json(documents[MANIFEST], MANIFEST))
    _require_documents(manifest, documents)
    _require_tables(manifest, seen)
    return CheckedArchive(manifest, _json(documents[SETTINGS], SETTINGS), _require_shape(manifest))


def check_rows(source: Source, archive: CheckedArchive) -> None:
    """Look at every row by what the apps declared of their tables. Raises ArchiveRefused for the first bad one."""
    for table, parts in tables_of(source, archive):
        checks = [*checks_of(table.name), *_left_out_checks(table)]
        for part in parts:
            if not checks:
                continue
            for line in part[:-1].split(b"\n"):
                _check_row(table, line, checks)


def tables_of(source: Source, archive: CheckedArchive) -> Iterator[tuple[TableShape, Iterator[bytes]]]:
    """Each table that has rows, with its parts, to be consumed in this order."""
    shapes = {table.name: table for table in archive.shape.tables}
    members = (
        (name, content)
        for name, content in read_members(source, unpacked_max=settings.ARCHIVE_UNPACKED_MAX_BYTES)
        if not name.endswith(".json")
    )
    waiting = next(members, None)
    while waiting is not None:
        table = _table_name(waiting[0])

        def parts(table: str = table) -> Iterator[bytes]:
            nonlocal waiting
            while waiting is not None and _table_name(waiting[0]) == table:
                yield waiting[1]
                waiting = next(members, None)

        passing = parts()
        yield shapes[table], passing
        for _ in passing:
            pass


def _take_part(seen: dict[str, _Seen], name: str, content: bytes) -> int:
    """Count one part; returns its rows."""
    table = _table_name(name)
    if table in seen and next(reversed(seen)) != table:
        raise ArchiveBroken(f"The parts of {table} don't stand together.")
    passed = seen.setdefault(table, _Seen())
    passed.parts += 1
    if name != f"tables/{table}/{passed.parts:06d}.copy" or not content.endswith(b"\n"):
        raise ArchiveBroken(f"A part of {table} is missing, or not whole.")
    rows = content.count(b"\n")
    passed.rows += rows
    passed.size += len(content)
    passed.digest.update(content)
    return rows


def _table_name(member: str) -> str:
    return member.split("/")[1]


def _require_documents(manifest: Manifest, documents: dict[str, bytes]) -> None:
    content = documents[SETTINGS]
    said = manifest.documents[SETTINGS]
    if said != {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}:
        raise ArchiveBroken(f"{SETTINGS} is not what the manifest says.")


def _require_tables(manifest: Manifest, seen: dict[str, _Seen]) -> None:
    named = {table.name: table for table in manifest.tables}
    if unknown := seen.keys() - named.keys():
        raise ArchiveBroken(f"The manifest doesn't know the table {min(unknown)}.")
    for name, table in named.items():
        passed = seen.get(name, _Seen())
        found = TableRecord(
            name, table.columns, passed.rows, passed.size, passed.digest.hexdigest(), passed.parts, table.left_out
        )
        if found != table:
            raise ArchiveBroken(f"The table {name} is not what the manifest says.")


def _require_shape(manifest: Manifest) -> SchemaShape:
    try:
        shape = shape_at(manifest.migrations)
    except UnknownMigrations as error:
        raise ArchiveForeign(
            f"The archive was made by another release, with migrations that this one doesn't have: {error}"[:280]
            + ". Bring this installation to that release first."
        ) from error
    expected = {(table.name, table.columns) for table in shape.tables}
    if expected != {(table.name, table.columns) for table in manifest.tables}:
        raise ArchiveForeign("The archive's tables are not those of the release that it names.")
    for table in manifest.tables:
        if not set(table.left_out) <= set(table.columns):
            raise ArchiveBroken(f"The manifest leaves out columns that {table.name} doesn't have.")
    return shape


def _left_out_checks(table: TableShape) -> Iterator[RowCheck]:
    """What no archive holds, none may bring: a credential in it would be somebody else's choice."""
    if why_empty(table.name) is not None:
        yield lambda _row: "No archive holds rows of this table."
    for column in left_out_of(table.name).values():
        if column.column in table.columns:
            yield lambda row, column=column: (  # type: ignore[misc]
                f"{column.column} is never part of an archive." if row[column.column] != column.instead else None
            )


def _check_row(table: TableShape, line: bytes, checks: list[RowCheck]) -> None:
    try:
        row = decode_row(line, table.columns)
    except ValueError as error:
        raise ArchiveBroken(f"A row of {table.name} can't be read: {error}") from error
    for check in checks:
        wrong = check(row)
        if wrong is not None:
            key = ", ".join(str(row[name])[:40] for name in table.key)
            raise ArchiveRefused(f"{table.name} {key}: {wrong}"[:300])


def _json(content: bytes, name: str) -> Any:
    try:
        return loads(content, max_bytes=len(content) + 1)
    except (JsonTooLarge, MalformedJson) as error:
        raise ArchiveBroken(f"{name} is not JSON as AppRun writes it.") from error
