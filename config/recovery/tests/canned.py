"""Answers of pgBackRest 2.45 and PostgreSQL 15, taken from real ones (`outputs/`), changed where a test says so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.recovery.commands import CommandFailed, Commands

OUTPUTS = Path(__file__).with_name("outputs")
ARCHIVING = {
    "mode": "on",
    "timeout": 300,
    "segment_bytes": 16 * 2**20,
    "last_archived": "000000010000000000000006",
    "last_failed_after": False,
    "waiting": 0,
    "oldest_waiting": None,
}


def read(name: str) -> str:
    """What the program printed."""
    return (OUTPUTS / name).read_text()


def read_info(name: str = "info") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read(f"{name}.json"))[0]
    return found


@dataclass(frozen=True)
class Canned(Commands):
    """Answers without running anything; `failing` names what can't be run."""

    stanza: str = "apprun"
    info: Mapping[str, Any] = field(default_factory=read_info)
    archiving: Mapping[str, Any] = field(default_factory=lambda: ARCHIVING)
    archive: str = "archive"
    verification: str = "good"
    failing: frozenset[str] = frozenset()
    ran: list[str] = field(default_factory=list)

    def run_pgbackrest(self, command: str, *arguments: str) -> str:
        if "pgbackrest" in self.failing:
            raise CommandFailed("pgbackrest can't be run: No such file or directory")
        self.ran.append(" ".join((command, *arguments)))
        return ""

    def read_info(self) -> dict[str, Any]:
        if "pgbackrest" in self.failing:
            raise CommandFailed("pgbackrest can't be run: No such file or directory")
        return dict(self.info)

    def list_archive(self) -> list[str]:
        return [path for path, entry in json.loads(read(f"{self.archive}.json")).items() if entry["type"] == "file"]

    def verify(self) -> str:
        return read(f"{self.verification}.txt")

    def query(self, sql: str) -> dict[str, Any]:
        if "psql" in self.failing:
            raise CommandFailed("psql ended with 2: the server doesn't answer")
        return dict(self.archiving)
