"""The swap of a restore, and who lets clients in again when its worker is gone.

The fence is written down (``Restore.fenced_until``) before it is raised, so that it can be found by whoever still
lives. A worker that fails lifts it itself. One that dies leaves it to ``open_overdue_fences``, which any worker of the
default queue runs: the live database is open again within DATABASE_FENCE_MAX and one sweep, long before the lease of
the dead one runs out, and whether or not anybody ever takes the restore up again. A swap that finds its fence lifted
changes nothing and begins again.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import psycopg
import structlog
from django.conf import settings

from apps.common.errors import Unavailable
from apps.databases.clients.swap import Swap, end_sessions, exchange, fence, is_swapped, lift_fence
from apps.databases.errors import SwapImpossible
from apps.databases.models import Restore
from apps.databases.services.establishing import session_limits
from apps.databases.services.restores.names import kept_name
from apps.databases.services.servers import open_server
from apps.operations.services.kinds import StepContext

log = structlog.get_logger(__name__)


def swap_in(context: StepContext, restore: Restore, fresh: str) -> dict[str, Any]:
    """Put ``fresh`` into the place of the live database; nothing when that is done already.

    Returns the name under which the old one is kept, and for how many milliseconds the live one was out. Whatever it
    raises, the old one serves.
    """
    database = restore.database
    swap = Swap(live=database.name, fresh=fresh, kept=kept_name(database, restore.operation_id))
    out = None
    with open_server(database.server) as server:
        if not is_swapped(server, swap):
            context.require_lease()
            _note_fence(restore, context.clock() + settings.DATABASE_FENCE_MAX)
            started = time.monotonic()
            _swap_under_fence(server, swap, restore)
            out = round((time.monotonic() - started) * 1000)
    Restore.objects.filter(pk=restore.pk).update(fenced_until=None)
    Restore.objects.filter(pk=restore.pk, swapped_at=None).update(swapped_at=context.clock())
    return {"kept": swap.kept, "out_milliseconds": out}


def open_overdue_fences(*, now: datetime) -> int:
    """Let clients into live databases whose swap takes too long; returns how many were closed.

    A fence stays on the list until its restore has ended: should a worker that was only asleep raise it once more, it
    is found once more.
    """
    opened = 0
    for restore in Restore.objects.overdue_fences(now).select_related("database__server", "kept"):
        try:
            opened += open_fence(restore)
        except (psycopg.Error, Unavailable) as error:
            log.warning("fence_not_lifted", restore=str(restore.pk), error=str(error))
    return opened


def open_fence(restore: Restore) -> bool:
    """Let clients into the live database (and the kept one that was to replace it); whether it was closed."""
    with open_server(restore.database.server) as server:
        lifted = lift_fence(server, restore.database.name)
        if restore.kept is not None:
            lift_fence(server, restore.kept.name)
    if lifted:
        log.warning("fence_lifted", restore=str(restore.pk), database=restore.database.name)
    if restore.settle_after is not None:
        Restore.objects.filter(pk=restore.pk).update(fenced_until=None)
    return lifted


def _note_fence(restore: Restore, until: datetime) -> None:
    Restore.objects.filter(pk=restore.pk).update(fenced_until=until)


def _swap_under_fence(server: psycopg.Connection[Any], swap: Swap, restore: Restore) -> None:
    # Half of the time for each, so that the fence is ours until the end.
    seconds = settings.DATABASE_FENCE_MAX.total_seconds() / 2
    try:
        fence(server, swap)
        end_sessions(server, [swap.live, swap.fresh], seconds=seconds)
        exchange(server, swap, connection_limit=session_limits().database_connections, seconds=seconds)
    except SwapImpossible:
        # Somebody else may have finished it at this moment.
        if not is_swapped(server, swap):
            open_fence(restore)
            raise
    except BaseException:
        open_fence(restore)
        raise
