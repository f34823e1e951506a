"""Claiming in one message to the database, as it nearly always goes: somebody waits for the first step.

Whatever is in the way (a busy target, a kind of another release) leaves the operation to the careful way in `claims`,
which says so on the row. The first step that isn't done is begun by the same write.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection
from django.db.models import Field

from apps.common.constraints import undone_when_refused, violated_constraint
from apps.operations.models import Operation
from apps.operations.services.kinds import registered_kinds
from apps.operations.services.limits import running_limit

# Both statements go in one message, which is one transaction (simple query protocol). The first locks the workspace's
# turn, so the second, which has a snapshot of its own, counts what nobody changes meanwhile.
_TURN = """
INSERT INTO operations_workspaceturn AS turn (workspace_id, served_at) VALUES (%(workspace)s, %(now)s)
ON CONFLICT (workspace_id) DO UPDATE SET served_at = excluded.served_at;
"""

# The table of states allows queued → running; `move_to` would need the row here first, and one more message.
# `next.done` is how many steps are done; NULL, so that none begins, when all are or somebody canceled what was then
# handed back.
_CLAIM = """
WITH next AS MATERIALIZED (
    SELECT due.id, CASE WHEN NOT due.cancel_requested THEN (
               SELECT min(step.place) - 1 FROM jsonb_array_elements(due.steps) WITH ORDINALITY AS step (record, place)
                WHERE step.record ->> 'done_at' IS NULL)::int
           END AS done
      FROM operations_operation AS due
     WHERE due.status = 'queued' AND due.queue = %(queue)s AND due.next_attempt_at <= %(now)s
       AND due.workspace_id {workspace}
       AND (%(known)s::jsonb -> due.kind) ?& array(
               SELECT record ->> 'name' FROM jsonb_array_elements(due.steps) AS record)
     ORDER BY due.priority DESC, due.next_attempt_at, due.id LIMIT 1 FOR UPDATE OF due SKIP LOCKED
)
UPDATE operations_operation AS operation
   SET status = 'running', attempt = operation.attempt + 1, lease_owner = %(owner)s, lease_until = %(until)s,
       started_at = coalesce(operation.started_at, %(now)s), waits_for_target = false, updated_at = %(now)s,
       current_step = coalesce(operation.steps -> next.done ->> 'name', operation.current_step),
       message = coalesce(
           %(known)s::jsonb -> operation.kind ->> (operation.steps -> next.done ->> 'name'), operation.message),
       progress = coalesce(100 * next.done / jsonb_array_length(operation.steps), operation.progress)
  FROM next
 WHERE operation.id = next.id {below_limit}
RETURNING {columns}, next.done IS NOT NULL
"""

_BELOW_LIMIT = """
   AND (SELECT count(*) FROM operations_operation
         WHERE status = 'running' AND workspace_id = %(workspace)s) < %(limit)s
"""

_FIELDS = Operation._meta.concrete_fields
_COLUMNS = ", ".join(f'operation."{field.column}"' for field in _FIELDS)
_OF_WORKSPACE = _TURN + _CLAIM.format(workspace="= %(workspace)s", below_limit=_BELOW_LIMIT, columns=_COLUMNS)
_OF_PLATFORM = _CLAIM.format(workspace="IS NULL", below_limit="", columns=_COLUMNS)


def claim_at_once(workspace_id: UUID | None, *, queue: str, owner: str, now: datetime) -> Operation | None:
    """The workspace's next operation of the queue that this release knows, running, held by ``owner``, with its next
    step written down as begun; None when there is none, its target is busy, or as many run as may."""
    values: dict[str, Any] = {
        "workspace": workspace_id,
        "queue": queue,
        "owner": owner,
        "now": now,
        "until": now + settings.OPERATION_LEASE,
        "known": json.dumps(
            {kind.name: {step.name: step.message for step in kind.steps().values()} for kind in registered_kinds()}
        ),
    }
    if workspace_id is not None:
        values["limit"] = running_limit(workspace_id)
    try:
        with undone_when_refused(), connection.cursor() as cursor:
            cursor.execute(_OF_PLATFORM if workspace_id is None else _OF_WORKSPACE, values)
            if workspace_id is not None:
                cursor.nextset()
            row = cursor.fetchone()
    except IntegrityError as error:
        if violated_constraint(error) != "one_running_operation_per_target":
            raise
        return None
    return _read(row) if row is not None else None


def _read(row: tuple[Any, ...]) -> Operation:
    *stored, has_begun = row
    values = [_convert(field, value) for field, value in zip(_FIELDS, stored, strict=True)]
    found: Operation = Operation.from_db(connection.alias, [field.attname for field in _FIELDS], values)
    found.step_begun = found.current_step if has_begun else ""
    return found


def _convert(field: Field[Any, Any], value: Any) -> Any:
    for convert in field.get_db_converters(connection):
        value = convert(value, None, connection)
    return value
