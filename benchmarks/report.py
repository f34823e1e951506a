"""The table that a run ends with."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).with_name("results.md")
_PACKAGES = ("django", "djangorestframework", "django-tenants", "psycopg", "granian")


@dataclass(frozen=True, slots=True)
class Result:
    """One line: a bar, both figures with their unit, the ratio, what it should be, whether it is."""

    bar: str
    what: str
    ours: str
    reference: str
    ratio: float
    wanted: str
    holds: bool


def render(results: list[Result], *, server_version: str) -> str:
    """The results as a Markdown table, with the machine and the versions."""
    head = "| bar | what | this | reference | ratio | wanted | |\n|---|---|---|---|---|---|---|"
    lines = [
        f"| {row.bar} | {row.what} | {row.ours} | {row.reference} | {row.ratio:.2f} | {row.wanted} "
        f"| {'holds' if row.holds else '**falls short**'} |"
        for row in results
    ]
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    where = (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, PostgreSQL {server_version}, {versions}"
    )
    return "\n".join([f"Measured {where}.", "", head, *lines, ""])
