"""Do the backups of this cluster hold what is promised? Findings, each with a sentence and a verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from .archive import find_gaps, is_stored, read_archiving
from .commands import Commands
from .errors import AnswerNotUnderstood, RecoveryError
from .objectives import Limits
from .record import Verified
from .verification import parse_verification

NAMED_AT_MOST = 5


@dataclass(frozen=True)
class Finding:
    """One thing that must hold. `number` is what monitoring may draw (seconds, or a count)."""

    name: str
    holds: bool
    text: str
    number: float | None = None


def check_backups(
    *, commands: Commands, limits: Limits, now: datetime, verified: Verified | None = None
) -> list[Finding]:
    """Every finding. `verified` is what the last verification found; what can't be known doesn't hold."""
    return [
        *judge("repository", lambda: judge_repository(commands.read_info(), limits=limits, now=now)),
        *judge("archiving", lambda: judge_archiving(commands, limits=limits)),
        judge_verification(verified, limits=limits, now=now),
    ]


def judge(name: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    """What `look` finds, or that it couldn't be known."""
    try:
        return look()
    except RecoveryError as error:
        return [Finding(name, False, str(error))]


def judge_repository(info: dict[str, Any], *, limits: Limits, now: datetime) -> list[Finding]:
    """Whether the repository can be read, is encrypted, and its newest backups are young enough."""
    try:
        status = info["status"]
        state = f"{status['message']}; cipher {info['cipher']}"
        readable = Finding("repository", status["code"] == 0 and info["cipher"] != "none", state)
        whole = [backup for backup in info["backup"] if not backup["error"]]
        full = [backup for backup in whole if backup["type"] == "full"]
        broken = [str(backup["label"]) for backup in info["backup"] if backup["error"]]
        pages = Finding(
            "page checksums", not broken, f"wrong in {', '.join(broken)}" if broken else "right in each backup"
        )
        return [
            readable,
            pages,
            judge_age("full backup", read_end(full), limit=limits.full_age, now=now),
            judge_age("newest backup", read_end(whole), limit=limits.backup_age, now=now),
        ]
    except (KeyError, TypeError):
        raise AnswerNotUnderstood("pgbackrest info has another form than the one known here.") from None


def read_end(backups: list[dict[str, Any]]) -> datetime | None:
    """When the newest of them was complete."""
    ends = [int(backup["timestamp"]["stop"]) for backup in backups]
    return datetime.fromtimestamp(max(ends), UTC) if ends else None


def judge_age(name: str, at: datetime | None, *, limit: timedelta, now: datetime) -> Finding:
    """Whether it is there and young enough."""
    if at is None:
        return Finding(name, False, "there is none")
    age = now - at
    return Finding(name, age <= limit, f"{write_span(age)} old, at most {write_span(limit)}", age.total_seconds())


def judge_archiving(commands: Commands, *, limits: Limits) -> list[Finding]:
    """Whether the log reaches the repository in time, and is complete there."""
    archiving = read_archiving(commands)
    findings = [
        Finding(
            "archiving",
            archiving.is_on,
            f"archive_mode {archiving.mode}, archive_timeout {write_span(archiving.timeout)}",
        )
    ]
    exposure = archiving.exposure
    text = f"a disaster takes {write_span(exposure)} at most, {write_span(limits.wal_exposure)} is promised"
    if archiving.waiting:
        text += f"; {archiving.waiting} segments wait"
    if archiving.failing:
        text += "; the last attempt failed"
    findings.append(Finding("log exposure", exposure <= limits.wal_exposure, text, exposure.total_seconds()))
    stored = is_stored(archiving.last_archived, commands.read_info())
    said = archiving.last_archived or "none yet"
    findings.append(
        Finding("log stored", stored, f"newest archived segment {said}" + ("" if stored else ": not there"))
    )
    gaps = find_gaps(commands.list_archive(), segment_bytes=archiving.segment_bytes)
    named = ", ".join(gaps[:NAMED_AT_MOST])
    findings.append(Finding("log complete", not gaps, f"missing: {named}" if gaps else "no gap", float(len(gaps))))
    return findings


def judge_verification(verified: Verified | None, *, limits: Limits, now: datetime) -> Finding:
    """Whether the last reading of the whole repository is young enough and found nothing."""
    if verified is None:
        return Finding("verification", False, "never verified")
    age = now - verified.at
    if not verified.clean:
        return Finding("verification", False, verified.text, age.total_seconds())
    text = f"{verified.text}; {write_span(age)} ago, at most {write_span(limits.verification_age)}"
    return Finding("verification", age <= limits.verification_age, text, age.total_seconds())


def verify(*, commands: Commands, now: datetime) -> Verified:
    """Reads the whole repository (minutes, for a large one)."""
    try:
        found = parse_verification(commands.verify())
    except RecoveryError as error:
        return Verified(now, False, str(error))
    return Verified(now, found.is_clean, found.describe())


def write_span(span: timedelta) -> str:
    """`40 s`, `12 min`, `3.5 h` or `4 days`."""
    seconds = span.total_seconds()
    for size, unit, upto in ((1, "s", 120), (60, "min", 7200), (3600, "h", 172800)):
        if seconds < upto:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds / 86400:.1f}".removesuffix(".0") + " days"
