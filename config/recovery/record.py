"""What is written down for later and for others: the last verification, and the findings as Prometheus metrics."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .check import Finding


@dataclass(frozen=True)
class Verified:
    """When the repository was read as a whole, and with what result."""

    at: datetime
    clean: bool
    text: str


def write_whole(path: Path, text: str) -> None:
    """Writes the file so that a reader sees the old or the new text, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text)
    unfinished.chmod(0o644)
    unfinished.rename(path)


def write_verified(path: Path, verified: Verified) -> None:
    """For `read_verified`."""
    write_whole(
        path, json.dumps({"at": verified.at.isoformat(), "clean": verified.clean, "text": verified.text}) + "\n"
    )


def read_verified(path: Path) -> Verified | None:
    """None when there is no record, or none that can be read."""
    try:
        found = json.loads(path.read_text())
        return Verified(datetime.fromisoformat(found["at"]), found["clean"] is True, str(found["text"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def render_metrics(findings: Iterable[Finding], *, stanza: str, now: datetime) -> str:
    """The text format of Prometheus, for node_exporter's textfile collector. No label bears a text that changes."""
    findings = list(findings)
    lines = [
        "# HELP apprun_backups_hold Whether everything that is promised of the backups holds.",
        "# TYPE apprun_backups_hold gauge",
        f'apprun_backups_hold{{stanza="{stanza}"}} {int(all(finding.holds for finding in findings))}',
        "# HELP apprun_backup_finding_holds Whether this one holds.",
        "# TYPE apprun_backup_finding_holds gauge",
    ]
    for finding in findings:
        labels = f'stanza="{stanza}",finding="{finding.name}"'
        lines.append(f"apprun_backup_finding_holds{{{labels}}} {int(finding.holds)}")
    lines += [
        "# HELP apprun_backup_finding_value Seconds of age or exposure; for the log's completeness, gaps.",
        "# TYPE apprun_backup_finding_value gauge",
    ]
    for finding in findings:
        if finding.number is not None:
            labels = f'stanza="{stanza}",finding="{finding.name}"'
            lines.append(f"apprun_backup_finding_value{{{labels}}} {finding.number:.0f}")
    lines += [
        "# HELP apprun_backups_checked_timestamp_seconds When this was found; a value that stands still is an alert.",
        "# TYPE apprun_backups_checked_timestamp_seconds gauge",
        f'apprun_backups_checked_timestamp_seconds{{stanza="{stanza}"}} {now.timestamp():.0f}',
    ]
    return "\n".join(lines) + "\n"
