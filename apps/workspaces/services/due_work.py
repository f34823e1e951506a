"""Work that waits for its time in workspaces: written with what it belongs to, found by a sweep over one public table.

The rows live here, and not in an app of their own, because each belongs to a workspace: it is worked off inside that
one's schema, not while it is being purged, and it goes with it. Whoever needs them stands above: workflows (a run to
resume, a trigger), billing (a reservation that expires), runtime. Apps below keep nothing in workspaces; the one
exception is the trail of ``audit``, whose retention this app registers itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction

from apps.common.queue import enqueue
from apps.common.tenancy import enter, enter_public
from apps.workspaces.models import DueWork, Workspace

log = structlog.get_logger(__name__)

_DO = "workspaces.do_due_work"
_FIRST_PAUSE = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class DueItem:
    """What a handler is told. ``due_at`` is when it should have been, ``now`` when it is."""

    workspace: Workspace
    kind: str
    target: str
    due_at: datetime
    now: datetime


#: Runs inside the workspace's schema, outside any transaction. Returns when the same is due again, None for never. It
#: must be safe to repeat: a worker can die after the effect. It should be done within DUE_WORK_LEASE.
Handler = Callable[[DueItem], datetime | None]
_handlers: dict[str, Handler] = {}


def register_due_kind(kind: str, handler: Handler) -> None:
    """Have ``handler`` called for everything of this kind that is due. Raises ValueError for a second one."""
    if kind in _handlers:
        raise ValueError(f"The kind of due work {kind} is registered twice")
    _handlers[kind] = handler


def schedule_work(*, workspace_id: UUID, kind: str, due_at: datetime, target: str = "") -> None:
    """Have the kind's handler called for ``target`` at ``due_at``, in the present transaction; an earlier time for the
    same target is replaced, also while its handler is running. Raises ValueError for an unknown kind.
    """
    if kind not in _handlers:
        raise ValueError(f"Nobody handles due work of the kind {kind}")
    with enter_public():
        DueWork.objects.bulk_create(
            [DueWork(workspace_id=workspace_id, kind=kind, target=target, due_at=due_at)],
            update_conflicts=True,
            unique_fields=["workspace", "kind", "target"],
            update_fields=["due_at", "claimed_until", "failures", "error"],
        )


def schedule_missing(*, kind: str, workspace_ids: Iterable[UUID], due_at: Callable[[UUID], datetime]) -> None:
    """Schedule what isn't scheduled yet, each at its own time; what is stays as it is."""
    rows = [DueWork(workspace_id=found, kind=kind, due_at=due_at(found)) for found in workspace_ids]
    with enter_public():
        DueWork.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)


def hasten_work(*, due_work_id: UUID, now: datetime) -> bool:
    """Have what waits done at once instead of at its time; whether it waits. What a worker has in hand stays its."""
    with enter_public():
        return bool(DueWork.objects.filter(pk=due_work_id, claimed_until=None, due_at__gt=now).update(due_at=now))


def cancel_work(*, workspace_id: UUID, kind: str, target: str = "") -> bool:
    """Take a target's work away again; whether there was any. A handler that is running isn't stopped."""
    with enter_public():
        return bool(DueWork.objects.filter(workspace_id=workspace_id, kind=kind, target=target).delete()[0])


def sweep_due_work(*, now: datetime) -> int:
    """Claim what is due, the longest due first, and wake a worker for each; returns how many.

    Several may sweep at once: each takes other rows. What this release has no handler for is left to one that has.
    """
    claimed_until = now + settings.DUE_WORK_LEASE
    with enter_public(), transaction.atomic():
        due = DueWork.objects.claimable(now).filter(kind__in=_handlers).order_by("due_at", "id")
        free = due.select_for_update(skip_locked=True, of=("self",))
        keys = list(free.values_list("pk", flat=True)[: settings.DUE_WORK_BATCH])
        DueWork.objects.filter(pk__in=keys).update(claimed_until=claimed_until)
        for key in keys:
            enqueue(_DO, due_work_id=key, claim=claimed_until.isoformat())
    return len(keys)


def do_due_work(*, due_work_id: UUID, claim: datetime, now: datetime) -> bool:
    """Call the handler of what was claimed; whether it came to its end.

    Does nothing when the claim is not the present one any more: rescheduled, canceled, or run out. A handler that
    raises is tried again with growing pauses.
    """
    with enter_public():
        row = DueWork.objects.select_related("workspace").filter(pk=due_work_id, claimed_until=claim).first()
    if row is None or claim <= now or row.kind not in _handlers:
        return False
    item = DueItem(workspace=row.workspace, kind=row.kind, target=row.target, due_at=row.due_at, now=now)
    try:
        with enter(row.workspace):
            due_again = _handlers[row.kind](item)
    except Exception as error:
        # Whatever it is, it is this target's; it must not stop the others.
        log.exception("due_work_failed", kind=row.kind, workspace=str(row.workspace_id), target=row.target)
        _settle_failure(row, claim, error, now)
        return False
    with enter_public():
        claimed = DueWork.objects.filter(pk=row.pk, claimed_until=claim)
        if due_again is None:
            claimed.delete()
        else:
            claimed.update(due_at=due_again, claimed_until=None, failures=0, error="")
    return True


def _settle_failure(row: DueWork, claim: datetime, error: Exception, now: datetime) -> None:
    pause = min(_FIRST_PAUSE * 2 ** min(row.failures, 20), settings.DUE_WORK_BACKOFF_MAX)
    with enter_public():
        DueWork.objects.filter(pk=row.pk, claimed_until=claim).update(
            due_at=now + pause,
            claimed_until=None,
            failures=row.failures + 1,
            error=f"{type(error).__name__}: {error}"[:300],
        )
