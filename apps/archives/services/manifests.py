"""The manifest: what an archive holds, said last. An archive without one is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.archives.errors import ArchiveBroken, ArchiveForeign
from apps.common.schema_ddl import fingerprint_of
from apps.common.schemas import compile_schema

FORMAT = "apprun-workspace"
VERSION = 1
MANIFEST = "manifest.json"
SETTINGS = "workspace.json"

_NAME = {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,62}$"}
_COUNT = {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}
_DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_SCHEMA = compile_schema(
    {
        "type": "object",
        "required": ["format", "version", "fingerprint", "migrations", "workspace", "tables", "documents", "rows"],
        "properties": {
            "format": {"const": FORMAT},
            "version": {"const": VERSION},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
            "made_at": {"type": "string", "maxLength": 40},
            "migrations": {
                "type": "array",
                "maxItems": 10_000,
                "items": {
                    "type": "array",
                    "items": {"type": "string", "pattern": "^[a-zA-Z0-9_]{1,255}$"},
                    "minItems": 2,
                    "maxItems": 2,
                },
            },
            "workspace": {
                "type": "object",
                "required": ["id", "slug", "name"],
                "properties": {
                    "id": {"type": "string", "maxLength": 36},
                    "slug": {"type": "string", "maxLength": 63},
                    "name": {"type": "string", "maxLength": 100},
                },
            },
            "rows": _COUNT,
            "documents": {
                "type": "object",
                "required": [SETTINGS],
                "additionalProperties": {
                    "type": "object",
                    "required": ["bytes", "sha256"],
                    "properties": {"bytes": _COUNT, "sha256": _DIGEST},
                },
            },
            "tables": {
                "type": "array",
                "maxItems": 1_000,
                "items": {
                    "type": "object",
                    "required": ["name", "columns", "rows", "bytes", "sha256", "parts", "left_out"],
                    "properties": {
                        "name": _NAME,
                        "columns": {"type": "array", "items": _NAME, "minItems": 1, "maxItems": 1_600},
                        "rows": _COUNT,
                        "bytes": _COUNT,
                        "sha256": _DIGEST,
                        "parts": _COUNT,
                        "left_out": {"type": "array", "items": _NAME, "maxItems": 1_600},
                    },
                },
            },
        },
    }
)


@dataclass(frozen=True, slots=True)
class TableRecord:
    """One table of an archive. ``sha256`` is of its rows as COPY writes them, ordered by their key."""

    name: str
    columns: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str
    parts: int
    left_out: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "columns": list(self.columns),
            "rows": self.rows,
            "bytes": self.bytes,
            "sha256": self.sha256,
            "parts": self.parts,
            "left_out": list(self.left_out),
        }


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says of itself."""

    fingerprint: str
    migrations: frozenset[tuple[str, str]]
    workspace: Mapping[str, str]
    tables: tuple[TableRecord, ...]
    documents: Mapping[str, Mapping[str, Any]]
    made_at: str = ""
    release: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "made_at": self.made_at,
            "release": dict(self.release),
            "fingerprint": self.fingerprint,
            "migrations": [list(key) for key in sorted(self.migrations)],
            "workspace": dict(self.workspace),
            "rows": self.rows,
            "documents": {name: dict(said) for name, said in self.documents.items()},
            "tables": [table.as_json() for table in self.tables],
        }


def read_manifest(content: Any) -> Manifest:
    """The manifest that ``content`` (JSON) is.

    Raises ArchiveForeign for another format or version, ArchiveBroken for whatever no program of ours has written.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ArchiveForeign("This is not an archive of a workspace.")
    if content.get("version") != VERSION:
        raise ArchiveForeign(
            f"This archive has the format version {_short(content.get('version'))}; here {VERSION} is understood."
        )
    errors = _SCHEMA.errors(content)
    if errors:
        raise ArchiveBroken(f"The manifest is not one of AppRun's: {errors[0].pointer} {errors[0].detail}"[:300])
    tables = tuple(
        TableRecord(**{**table, "columns": tuple(table["columns"]), "left_out": tuple(table["left_out"])})
        for table in ({key: said[key] for key in _TABLE_FIELDS} for said in content["tables"])
    )
    migrations = frozenset((app, name) for app, name in content["migrations"])
    if fingerprint_of(migrations) != content["fingerprint"]:
        raise ArchiveBroken("The manifest names a fingerprint that isn't its migrations'.")
    if len({table.name for table in tables}) != len(tables):
        raise ArchiveBroken("The manifest names a table twice.")
    return Manifest(
        fingerprint=content["fingerprint"],
        migrations=migrations,
        workspace=content["workspace"],
        tables=tables,
        documents=content["documents"],
        made_at=content.get("made_at", ""),
    )


_TABLE_FIELDS = ("name", "columns", "rows", "bytes", "sha256", "parts", "left_out")


def _short(value: Any) -> str:
    return re.sub(r"[^0-9A-Za-z.]", "?", str(value))[:20]
