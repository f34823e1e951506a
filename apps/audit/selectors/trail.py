"""Reading a trail: a part of it, or all of it as a stream."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleLessThan

from apps.audit.models import AuditEvent
from apps.common.tenancy import HasSchema, enter

_CHUNK = 500


def acts_of_workspace() -> QuerySet[AuditEvent]:
    """The trail of the entered workspace, or of the platform outside of one; newest first."""
    trail: QuerySet[AuditEvent] = AuditEvent.objects.order_by("-at", "-id")
    return trail


def stream_acts(acts: QuerySet[AuditEvent], *, workspace: HasSchema) -> Iterator[list[AuditEvent]]:
    """``acts``, newest first, in chunks, each read in a query of its own inside the workspace.

    A streamed answer is consumed after its request has left the workspace, and other code may run between two chunks:
    nothing stays entered while the caller has the word.
    """
    last: AuditEvent | None = None
    while True:
        with enter(workspace):
            rest = acts if last is None else acts.filter(TupleLessThan(Tuple("at", "id"), (last.at, last.pk)))
            chunk = list(rest.order_by("-at", "-id")[:_CHUNK])
        if chunk:
            yield chunk
        if len(chunk) < _CHUNK:
            return
        last = chunk[-1]
