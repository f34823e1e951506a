"""Writing an archive: every table of the workspace's schema and its settings, as they were at one moment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from apps.archives.services.containers import PART_BYTES, ContainerWriter, Target
from apps.archives.services.manifests import MANIFEST, SETTINGS, Manifest, TableRecord
from apps.common.archiving import left_out_of, why_empty
from apps.common.row_copies import copy_out, snapshot
from apps.common.schema_ddl import fingerprint_of
from apps.common.schema_migration import applied_migrations
from apps.common.schema_shapes import TableShape, shape_at


def write_archive(
    target: Target,
    *,
    schema_name: str,
    describe: Callable[[], Mapping[str, Any]],
    now: datetime,
    between: Callable[[], None] = lambda: None,
) -> tuple[Manifest, ContainerWriter]:
    """Write the archive of a schema; returns its manifest and the closed container, which knows its size and hash.

    ``describe`` is called in the same snapshot and returns the public rows (``workspace.json``); ``between`` before
    each table, where nothing can be written. The memory that is used is bounded by one part and the largest row.
    """
    container = ContainerWriter(target)
    # Before the snapshot, which locks what it finds; looked at once more inside it.
    shape = shape_at(applied_migrations(schema_name))
    with snapshot(schema_name, [table.name for table in shape.tables]):
        migrations = applied_migrations(schema_name)
        if migrations != shape.migrations:
            raise SchemaMoved
        described = describe()
        documents = {SETTINGS: _add_document(container, SETTINGS, described)}
        tables: list[TableRecord] = []
        for table in shape.tables:
            between()
            tables.append(_add_table(container, schema_name, table))
    manifest = Manifest(
        fingerprint=fingerprint_of(migrations),
        migrations=migrations,
        workspace={name: str(described["workspace"][name]) for name in ("id", "slug", "name")},
        tables=tuple(tables),
        documents=documents,
        made_at=now.isoformat(),
        release=_release(),
    )
    _add_document(container, MANIFEST, manifest.as_json())
    container.close()
    return manifest, container


class SchemaMoved(RuntimeError):
    """A release migrated the schema between two looks at it; the next attempt finds it at rest."""


def _add_table(container: ContainerWriter, schema_name: str, table: TableShape) -> TableRecord:
    if why_empty(table.name) is not None:
        nothing = hashlib.sha256().hexdigest()
        return TableRecord(table.name, table.columns, 0, 0, nothing, 0, left_out=table.columns)
    left_out = {name: column.instead for name, column in left_out_of(table.name).items() if name in table.columns}
    digest = hashlib.sha256()
    part, rows, size, parts = bytearray(), 0, 0, 0
    for piece in copy_out(schema_name, table, instead=left_out):
        part += piece
        rows += piece.count(b"\n")
        if len(part) >= PART_BYTES:
            parts += 1
            size += _add_part(container, table.name, parts, part, digest)
            part.clear()
    if part:
        parts += 1
        size += _add_part(container, table.name, parts, part, digest)
    return TableRecord(
        name=table.name,
        columns=table.columns,
        rows=rows,
        bytes=size,
        sha256=digest.hexdigest(),
        parts=parts,
        left_out=tuple(sorted(left_out)),
    )


def _add_part(container: ContainerWriter, table: str, number: int, part: bytearray, digest: Any) -> int:
    content = bytes(part)
    digest.update(content)
    container.add(f"tables/{table}/{number:06d}.copy", content)
    return len(content)


def _add_document(container: ContainerWriter, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    written = json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1).encode()
    container.add(name, written)
    return {"bytes": len(written), "sha256": hashlib.sha256(written).hexdigest()}


def _release() -> dict[str, str]:
    server = connection.cursor().connection.info.server_version
    return {"apprun": str(settings.SPECTACULAR_SETTINGS["VERSION"]), "postgresql": f"{server // 10000}"}
