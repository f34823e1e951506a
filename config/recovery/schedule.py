"""Which backup is due. The repository itself says when the last ones were, so nothing is lost by a restart."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .check import read_end
from .commands import Commands
from .errors import CommandFailed
from .objectives import Schedule

NO_BACKUP_YET = 2  # `status.code` of pgbackrest info: "no valid backups"
NO_STANZA_YET = (1, 3)  # "missing stanza path", "missing stanza data"


def choose_backup(info: dict[str, Any], *, schedule: Schedule, now: datetime) -> str | None:
    """`full`, `incr`, or None when the newest are young enough."""
    whole = [backup for backup in info.get("backup", []) if not backup["error"]]
    full = read_end([backup for backup in whole if backup["type"] == "full"])
    if full is None or now - full >= schedule.full_every - schedule.slack:
        return "full"
    newest = read_end(whole)
    if newest is None or now - newest >= schedule.incremental_every - schedule.slack:
        return "incr"
    return None


def make_backup(*, commands: Commands, schedule: Schedule, now: datetime) -> str | None:
    """Makes the backup that is due and returns its kind. The first time, it makes the stanza and tries the archive.

    Raises CommandFailed; also when a backup is being made already.
    """
    info = commands.read_info()
    code = info.get("status", {}).get("code")
    if code in NO_STANZA_YET:
        commands.run_pgbackrest("stanza-create")
        commands.run_pgbackrest("check")
    elif code not in {0, NO_BACKUP_YET}:
        raise CommandFailed(f"The repository isn't usable: {info.get('status', {}).get('message')}")
    kind = choose_backup(info, schedule=schedule, now=now)
    if kind:
        commands.run_pgbackrest("backup", f"--type={kind}")
    return kind
