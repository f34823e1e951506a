"""What is done in every workspace again and again, each at a time of its own.

The times are spread over the round by the workspaces' ids, so that 3,000 schemas in a day are two in a minute.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from apps.workspaces.selectors.directory import workspaces_without_due_work
from apps.workspaces.services.due_work import schedule_missing

_BATCH = 1000


def next_turn(workspace_id: UUID, now: datetime, *, every: timedelta, salt: str = "") -> datetime:
    """The workspace's next turn after ``now`` in a round of ``every``, of which a day holds a whole number (UTC).

    Rounds with another ``salt`` have other turns.
    """
    # Not the id's own bits: of those that were made together, the first ones are alike.
    spread = int.from_bytes(hashlib.sha256(salt.encode() + workspace_id.bytes).digest()[:4], "big") / 2**32
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight + spread * every
    return first + ((now - first) // every + 1) * every


def begin_missing_rounds(kind: str, *, every: timedelta, now: datetime, salt: str = "") -> int:
    """Schedule the due work ``kind`` for every workspace that has none: those that are new, older than the kind, or
    imported; returns how many."""
    count = 0
    while keys := workspaces_without_due_work(kind, limit=_BATCH):
        due_at = partial(next_turn, now=now, every=every, salt=salt)
        schedule_missing(kind=kind, workspace_ids=keys, due_at=due_at)
        count += len(keys)
    return count
