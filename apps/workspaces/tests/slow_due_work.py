"""A kind of due work that can be killed in the middle: a worker imports this (``worker_process(include=…)``)."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

from apps.audit.models import AuditEvent
from apps.audit.services.retention import forget_old_acts
from apps.workspaces.services.due_work import DueItem, register_due_kind

KIND = "test.slow_retention"


def forget_slowly(item: DueItem) -> datetime | None:
    """One act at a time; ``target`` is a folder. While ``hold`` is in it, the handler never comes to its end."""
    folder = Path(item.target)
    while forget_old_acts(now=item.now, limit=1):
        while (folder / "hold").exists():
            (folder / "begun").touch()
            time.sleep(0.05)
    assert not AuditEvent.objects.filter(action="test.old").exists()
    return None


register_due_kind(KIND, forget_slowly)
