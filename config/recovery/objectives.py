"""How much may be lost, how long it may take, and how old a backup may be. docs/operations/backup.md gives the reasons;
a test compares it, and the shipped settings, with these.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

#: Of committed work, what a disaster may take at most (RPO).
RECOVERY_POINT = timedelta(minutes=15)
#: From "restore" to a platform that answers (RTO).
RECOVERY_TIME = timedelta(hours=1)


@dataclass(frozen=True)
class Schedule:
    """How often backups are made; `slack` lets an hourly pass that is seconds early count as on time."""

    full_every: timedelta = timedelta(hours=24)
    incremental_every: timedelta = timedelta(hours=1)
    slack: timedelta = timedelta(minutes=5)


@dataclass(frozen=True)
class Limits:
    """Beyond these the objectives don't hold, and somebody must be told."""

    full_age: timedelta = timedelta(hours=26)
    backup_age: timedelta = timedelta(hours=2)
    wal_exposure: timedelta = RECOVERY_POINT
    verification_age: timedelta = timedelta(hours=26)
