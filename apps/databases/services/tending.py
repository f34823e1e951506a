"""What waits for its time: rotations that are due, logins that drain, deletions whose grace is over."""

from __future__ import annotations

from datetime import datetime

from apps.databases.services.deletion import request_due_deletions
from apps.databases.services.rotation import look_at_draining_logins, request_due_rotations


def tend_databases(*, now: datetime) -> None:
    """Begin what is due. A server that doesn't answer holds up nothing but its own databases."""
    request_due_deletions(now=now)
    request_due_rotations(now=now)
    look_at_draining_logins(now=now)
