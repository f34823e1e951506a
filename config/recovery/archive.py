"""The write-ahead log: what has reached the repository, and what would be lost now."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from .commands import Commands
from .errors import AnswerNotUnderstood

# A segment is named by timeline, log and segment, eight hexadecimal digits each (PostgreSQL: xlog_internal.h,
# XLogFileName); pgBackRest adds a SHA-1 and the compression.
SEGMENT = re.compile(r"^(?P<id>[^/]+)/[0-9A-F]{16}/(?P<name>[0-9A-F]{24})-[0-9a-f]{40}(?:\.\w+)?$")
NAME = re.compile(r"^[0-9A-F]{24}")
QUERY = """
SELECT json_build_object(
  'mode', current_setting('archive_mode'),
  'timeout', (SELECT setting::int FROM pg_settings WHERE name = 'archive_timeout'),
  'segment_bytes', (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'),
  'last_archived', last_archived_wal,
  'last_failed_after', last_failed_time > last_archived_time OR last_archived_time IS NULL AND failed_count > 0,
  'waiting', waiting.count,
  'oldest_waiting', extract(epoch FROM clock_timestamp() - waiting.oldest))
FROM pg_stat_archiver, (
  SELECT count(*), min(modification) AS oldest FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready') AS waiting
"""


@dataclass(frozen=True)
class Archiving:
    """How the server archives. `exposure` is the age of the oldest commit that a disaster could take now."""

    mode: str
    timeout: timedelta
    segment_bytes: int
    last_archived: str
    failing: bool
    waiting: int
    oldest_waiting: timedelta

    @property
    def is_on(self) -> bool:
        return self.mode in {"on", "always"} and self.timeout > timedelta(0)

    @property
    def exposure(self) -> timedelta:
        """A segment is closed `timeout` after its first commit at the latest; those closed wait for the archiver."""
        return self.timeout + self.oldest_waiting


def read_archiving(commands: Commands) -> Archiving:
    """Asks the server (as a superuser, or a member of pg_monitor)."""
    found = commands.query(QUERY)
    try:
        return Archiving(
            mode=str(found["mode"]),
            timeout=timedelta(seconds=int(found["timeout"])),
            segment_bytes=int(found["segment_bytes"]),
            last_archived=str(found["last_archived"] or ""),
            failing=bool(found["last_failed_after"]),
            waiting=int(found["waiting"]),
            oldest_waiting=timedelta(seconds=max(0.0, float(found["oldest_waiting"] or 0))),
        )
    except (KeyError, TypeError, ValueError):
        raise AnswerNotUnderstood("the server's state of archiving wasn't understood.") from None


def is_stored(last_archived: str, info: dict[str, Any]) -> bool:
    """Whether the repository has the segment that the server believes to have archived: its archive_command may lie."""
    name = NAME.match(last_archived)
    if not name:
        return not last_archived or last_archived.endswith(".history")
    return any(name[0] <= str(archive.get("max") or "") for archive in info.get("archive", []))


def find_gaps(paths: Iterable[str], *, segment_bytes: int) -> list[str]:
    """The segments that are missing between those that are there, as `first` or `first … last`.

    Recovery stops at the first one, however whole everything behind it is. Each timeline is looked at by itself; a
    later one begins where its parent's segments still are.
    """
    timelines: dict[tuple[str, int], set[int]] = {}
    per_log = 2**32 // segment_bytes
    for path in paths:
        if match := SEGMENT.match(path):
            timeline, log, segment = (int(match["name"][start : start + 8], 16) for start in (0, 8, 16))
            timelines.setdefault((match["id"], timeline), set()).add(log * per_log + segment)
    gaps = []
    for (_, timeline), numbers in sorted(timelines.items()):
        for before, after in itertools.pairwise(sorted(numbers)):
            if after > before + 1:
                names = [write_name(timeline, number, per_log) for number in (before + 1, after - 1)]
                gaps.append(" … ".join(dict.fromkeys(names)))
    return gaps


def write_name(timeline: int, number: int, per_log: int) -> str:
    """A segment's file name."""
    return f"{timeline:08X}{number // per_log:08X}{number % per_log:08X}"
