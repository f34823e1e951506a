"""Who may see which operation."""

from __future__ import annotations

from uuid import UUID

from apps.common.actors import Actor
from apps.common.permissions import Grant, resolver
from apps.operations.errors import OperationNotFound
from apps.operations.models import Operation


def visible_operation(actor: Actor, operation_id: UUID | None) -> tuple[Operation, Grant | None]:
    """The operation and the caller's grant in its workspace.

    Seen by members with `operations.view`, and by whoever asked for it while they belong to its workspace. Raises
    OperationNotFound for everyone else.
    """
    operation = Operation.objects.filter(pk=operation_id).first() if operation_id else None
    if operation is None:
        raise OperationNotFound
    requested = _asked_for(operation, actor)
    if operation.workspace_id is None:
        if not requested:
            raise OperationNotFound
        return operation, None
    grant = resolver().grant_for(actor, str(operation.workspace_id))
    if grant is None or not (requested or grant.allows("operations.view")):
        raise OperationNotFound
    return operation, grant


def _asked_for(operation: Operation, actor: Actor) -> bool:
    asker = operation.requested_by
    return actor.id is not None and (asker.get("kind"), asker.get("id")) == (str(actor.kind), str(actor.id))
